//! Finds everything that is wrong with values, before anything is made of them.

use super::Values;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::ResourceRequirements;
use mesh_controller::{
    DefaultPolicy, PortSet,
    injector::{
        Annotations, BadAnnotation, BadConfig, Config, Decision, INJECT, Mode, Namespace, patch,
    },
};
use mesh_identity::IdentityName;
use serde_json::json;

/// A value that makes no control plane.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flag} ({key}): {value:?}: {why}")]
pub(crate) struct Mistake {
    flag: String,
    /// Its name in a file of values.
    key: &'static str,
    value: String,
    why: String,
}

/// Controllers whose two copies of a setting differ would tell proxies one thing and pods another.
const OF_CONTROLLER_TOO: [(&str, &str); 2] = [
    ("opaque-ports", "--opaque-ports"),
    ("default-inbound-policy", "--default-inbound-policy"),
];

/// All mistakes, in the order of the flags.
pub(crate) fn check(values: &Values, version: &str) -> Vec<Mistake> {
    let mut found = Found(Vec::new());
    found.names(values);
    found.images(values);
    found.traffic(values);
    found.control_plane(values);
    found.proxy_defaults(values);
    if found.0.is_empty() {
        found.together(values, version);
    }
    found.0
}

struct Found(Vec<Mistake>);

impl Found {
    fn unless(&mut self, right: bool, flag: &str, key: &'static str, value: &str, expected: &str) {
        if !right {
            self.add(flag, key, value, format!("expected {expected}"));
        }
    }

    fn add(&mut self, flag: &str, key: &'static str, value: &str, why: String) {
        self.0.push(Mistake {
            flag: flag.to_owned(),
            key,
            value: value.chars().take(100).collect(),
            why,
        });
    }

    fn names(&mut self, values: &Values) {
        let identity = |namespace: &str, domain: &str| {
            IdentityName::new("mesh-destination", namespace, namespace, domain)
        };
        if let Err(error) = identity(&values.namespace, "cluster.local") {
            self.add(
                "--mesh-namespace",
                "namespace",
                &values.namespace,
                error.to_string(),
            );
        } else if let Err(error) = identity(&values.namespace, &values.trust_domain) {
            self.add(
                "--trust-domain",
                "trustDomain",
                &values.trust_domain,
                error.to_string(),
            );
        }
        if identity("mesh", &values.cluster_domain).is_err() {
            let why = "expected a DNS name of lower-case labels, as cluster.local".to_owned();
            self.add(
                "--cluster-domain",
                "clusterDomain",
                &values.cluster_domain,
                why,
            );
        }
    }

    fn images(&mut self, values: &Values) {
        // The rules, and their words, are those of the proxies' settings.
        let tag = match values.tag.as_str() {
            "" => "0",
            tag => tag,
        };
        for (flag, key, name, value) in [
            (
                "--registry",
                "registry",
                "proxy-image",
                values.registry.as_str(),
            ),
            ("--tag", "tag", "proxy-version", tag),
            (
                "--image-pull-policy",
                "imagePullPolicy",
                "image-pull-policy",
                &values.image_pull_policy,
            ),
        ] {
            if let Some(bad) = bad_setting(name, value) {
                self.add(flag, key, value, format!("expected {}", bad.expected));
            }
        }
    }

    fn traffic(&mut self, values: &Values) {
        let networks = values.cluster_networks.split(',');
        self.unless(
            networks
                .map(str::trim)
                .all(|network| network.parse::<IpNet>().is_ok()),
            "--cluster-networks",
            "clusterNetworks",
            &values.cluster_networks,
            "networks with commas between, as 10.0.0.0/8,fd00::/8",
        );
        self.unless(
            values.default_inbound_policy.parse::<DefaultPolicy>().is_ok(),
            "--default-inbound-policy",
            "defaultInboundPolicy",
            &values.default_inbound_policy,
            "all-unauthenticated, all-authenticated, cluster-unauthenticated, cluster-authenticated, deny or audit",
        );
        self.unless(
            values.opaque_ports.parse::<PortSet>().is_ok(),
            "--opaque-ports",
            "opaquePorts",
            &values.opaque_ports,
            "ports and ranges of ports (1 to 65535) with commas between",
        );
    }

    fn control_plane(&mut self, values: &Values) {
        let replicas = values.replicas();
        self.unless(
            (1..=100).contains(&replicas),
            "--replicas",
            "replicas",
            &replicas.to_string(),
            "a number from 1 to 100",
        );
        let levels = ["error", "warn", "info", "debug", "trace"];
        self.unless(
            levels.contains(&values.log_level.as_str()),
            "--log",
            "logLevel",
            &values.log_level,
            "error, warn, info, debug or trace",
        );
        self.unless(
            ["Ignore", "Fail"].contains(&values.injector.failure_policy.as_str()),
            "--injector-failure-policy",
            "injector.failurePolicy",
            &values.injector.failure_policy,
            "Ignore or Fail",
        );
        let identity = &values.identity;
        for (flag, key, seconds, range, expected) in [
            (
                "--identity-issuance-lifetime",
                "identity.issuanceLifetimeSeconds",
                identity.issuance_lifetime_seconds,
                10..=31_536_000,
                "10 s to 365 days",
            ),
            (
                "--identity-clock-skew-allowance",
                "identity.clockSkewAllowanceSeconds",
                identity.clock_skew_allowance_seconds,
                0..=3600,
                "at most an hour",
            ),
        ] {
            self.unless(
                range.contains(&seconds),
                flag,
                key,
                &format!("{seconds}s"),
                expected,
            );
        }
        for (key, resources) in [
            ("identity.resources", &identity.resources),
            ("destination.resources", &values.destination.resources),
            ("injector.resources", &values.injector.resources),
        ] {
            if let Err(error) = serde_json::from_value::<ResourceRequirements>(resources.clone()) {
                self.add("--values", key, &resources.to_string(), error.to_string());
            }
        }
    }

    fn proxy_defaults(&mut self, values: &Values) {
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
    fn together(&mut self, values: &Values, version: &str) {
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

fn checked(name: &str, value: &str) -> Result<(), BadConfig> {
    let install = Annotations::from([(name.to_owned(), value.to_owned())]);
    let config = Config {
        install,
        ..Config::default()
    };
    config.check()
}

fn bad_setting(name: &str, value: &str) -> Option<BadAnnotation> {
    match checked(name, value) {
        Err(BadConfig::Value(bad)) => Some(bad),
        _ => None,
    }
}
