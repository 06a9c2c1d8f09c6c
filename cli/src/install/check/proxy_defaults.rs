//! Settings of all proxies: by the rules, and in the words, of the injector that will read them.

use super::Found;
use crate::install::Values;
use mesh_controller::injector::{
    Annotations, BadConfig, Config, Decision, INJECT, Mode, Namespace, patch,
};
use serde_json::json;

/// Controllers whose two copies of a setting differ would tell proxies one thing and pods another.
const OF_CONTROLLER_TOO: [(&str, &str); 2] = [
    ("opaque-ports", "--opaque-ports"),
    ("default-inbound-policy", "--default-inbound-policy"),
];

impl Found {
    pub(super) fn proxy_defaults(&mut self, values: &Values) {
        for (name, value) in &values.proxy_defaults {
            let twin = OF_CONTROLLER_TOO.iter().find(|(twin, _)| twin == name);
            let why = match (twin, checked(name, value)) {
                (Some((_, flag)), _) => {
                    format!("give it by {flag}, which tells the controller too")
                }
                (None, Err(BadConfig::Value(bad))) => format!("expected {}", bad.expected),
                (None, Err(error)) => error.to_string(),
                (None, Ok(())) => continue,
            };
            self.add(&format!("--set {name}"), "proxyDefaults", value, why);
        }
    }

    /// Settings that are right one by one but would have every pod refused.
    pub(super) fn together(&mut self, values: &Values, version: &str) {
        let config = Config {
            install: values.all_proxy_defaults(version),
            ..Config::default()
        };
        let pod = json!({"metadata": {}, "spec": {"containers": [{"name": "app"}]}});
        let namespace = Namespace {
            name: None,
            annotations: Annotations::from([(INJECT.to_owned(), Mode::Enabled.to_string())]),
        };
        if let Decision::Refuse(errors) = patch(&pod, None, &namespace, &config) {
            for bad in errors {
                let name = bad.name.rsplit('/').next().unwrap_or(&bad.name);
                let why = format!("expected {}", bad.expected);
                self.add(&format!("--set {name}"), "proxyDefaults", &bad.value, why);
            }
        }
    }
}

/// One setting, as the whole of what a mesh was installed with.
pub(super) fn checked(name: &str, value: &str) -> Result<(), BadConfig> {
    let install = Annotations::from([(name.to_owned(), value.to_owned())]);
    let config = Config {
        install,
        ..Config::default()
    };
    config.check()
}
