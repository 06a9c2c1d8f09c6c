//! The environment of an injected proxy.
//!
//! Only what the pod or the install decides: everything else has a default in the
//! proxy, which may become a better one. Linkerd's injector writes all defaults
//! into every pod, and some settings that have no meaning for our proxy
//! (docs/compatibility.md lists them).

use super::{
    config::TRUST_BUNDLE_KEY,
    containers::{Injection, TOKEN_MOUNT, TOKEN_NAME, TRUST_MOUNT},
    decision::Mode,
    settings::Both,
};
use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector};
use std::time::Duration;

/// A year: for protocols whose clients may stay silent.
const ENDLESS: &str = "365d";

/// Variables in the order they are made: one may use `$(NAME)` of those before it.
struct Variables(Vec<EnvVar>);

impl Variables {
    fn value(&mut self, name: &str, value: impl Into<String>) {
        self.0.push(EnvVar {
            name: name.to_owned(),
            value: Some(value.into()),
            value_from: None,
        });
    }

    /// A setting of the proxy.
    fn set(&mut self, name: &str, value: impl ToString) {
        self.value(&format!("MESH_PROXY_{name}"), value.to_string());
    }

    /// From the pod, by the kubelet.
    fn field(&mut self, name: &str, path: &str) {
        let field = ObjectFieldSelector {
            field_path: path.to_owned(),
            ..Default::default()
        };
        self.0.push(EnvVar {
            name: name.to_owned(),
            value: None,
            value_from: Some(EnvVarSource {
                field_ref: Some(field),
                ..Default::default()
            }),
        });
    }

    fn for_both(&mut self, name: &str, values: &Both<impl Fn() -> Option<String>>) {
        let both = [
            ("INBOUND", (values.inbound)()),
            ("OUTBOUND", (values.outbound)()),
        ];
        for (direction, value) in both {
            if let Some(value) = value {
                self.set(&format!("{direction}_{name}"), value);
            }
        }
    }
}

pub(super) fn of(injection: &Injection<'_>) -> Vec<EnvVar> {
    let mut env = Variables(Vec::new());
    who(&mut env);
    process(&mut env, injection);
    control_plane(&mut env, injection);
    listeners(&mut env, injection);
    inbound(&mut env, injection);
    timeouts(&mut env, injection);
    identity(&mut env, injection);
    for more in &injection.settings.environment {
        for variable in more.values() {
            match env.0.iter_mut().find(|each| each.name == variable.name) {
                Some(same) => *same = variable.clone(),
                None => env.0.push(variable.clone()),
            }
        }
    }
    env.0
}

fn who(env: &mut Variables) {
    env.field("_pod_name", "metadata.name");
    env.field("_pod_ns", "metadata.namespace");
    env.field("_pod_nodeName", "spec.nodeName");
    env.field("_pod_sa", "spec.serviceAccountName");
}

fn process(env: &mut Variables, injection: &Injection<'_>) {
    let (life, watching) = (&injection.settings.life, &injection.settings.watching);
    let resources = &injection.settings.resources;
    if let Some((_, thousandths)) = &resources.cpu.limit {
        env.set("CORES_MAX", thousandths.div_ceil(1000).min(1024));
    }
    if let Some(ratio) = resources.cpu_ratio {
        env.set("CORES_MAX_RATIO", ratio);
    }
    env.set("LOG", &watching.log);
    env.set("LOG_FORMAT", &watching.log_format);
    if let Some(form) = &watching.access_log {
        env.set("ACCESS_LOG", form);
    }
    env.set("OUTBOUND_METRICS_HOSTNAME_LABELS", watching.hostname_labels);
    env.set("SHUTDOWN_ENDPOINT_ENABLED", life.shutdown);
    if let Some(grace) = life.grace {
        env.set("SHUTDOWN_GRACE_PERIOD", written(grace));
    }
}

fn control_plane(env: &mut Variables, injection: &Injection<'_>) {
    let config = injection.config;
    env.set(
        "DESTINATION_SVC_ADDR",
        config.service("mesh-dst-headless", 8086),
    );
    env.set("DESTINATION_SVC_NAME", config.identity("mesh-destination"));
    env.set(
        "DESTINATION_CONTEXT",
        r#"{"ns":"$(_pod_ns)", "nodeName":"$(_pod_nodeName)", "pod":"$(_pod_name)"}"#,
    );
    env.set("POLICY_SVC_ADDR", config.service("mesh-policy", 8090));
    env.set("POLICY_SVC_NAME", config.identity("mesh-destination"));
    env.set(
        "POLICY_WORKLOAD",
        r#"{"ns":"$(_pod_ns)", "pod":"$(_pod_name)"}"#,
    );
    let networks: Vec<_> = config
        .cluster_networks
        .iter()
        .map(ToString::to_string)
        .collect();
    env.set("POLICY_CLUSTER_NETWORKS", networks.join(","));
}

fn listeners(env: &mut Variables, injection: &Injection<'_>) {
    let ports = &injection.settings.ports;
    let ipv6 = injection.config.ipv6;
    let any = if ipv6 { "[::]" } else { "0.0.0.0" };
    env.set("CONTROL_LISTEN_ADDR", format!("{any}:{}", ports.control));
    env.set("ADMIN_LISTEN_ADDR", format!("{any}:{}", ports.admin));
    env.set("INBOUND_LISTEN_ADDR", format!("{any}:{}", ports.inbound));
    let mut outbound = format!("127.0.0.1:{}", ports.outbound);
    if ipv6 {
        outbound += &format!(",[::1]:{}", ports.outbound);
    }
    env.set("OUTBOUND_LISTEN_ADDRS", outbound);
    if injection.mode == Mode::Ingress {
        env.set("INGRESS_MODE", true);
    }
}

fn inbound(env: &mut Variables, injection: &Injection<'_>) {
    let inbound = &injection.settings.inbound;
    env.field("MESH_PROXY_INBOUND_IPS", "status.podIPs");
    let ports = match &inbound.ports {
        Some(ports) => ports.to_string(),
        None => comma(&injection.target.tcp_ports()),
    };
    env.set("INBOUND_PORTS", ports);
    env.set("INBOUND_DEFAULT_POLICY", inbound.policy);
    env.set(
        "INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION",
        &injection.opaque,
    );
    if let Some(ports) = &inbound.identity {
        env.set("INBOUND_PORTS_REQUIRE_IDENTITY", ports);
    }
}

fn timeouts(env: &mut Variables, injection: &Injection<'_>) {
    let timeouts = &injection.settings.timeouts;
    let time = |time: Duration| move || Some(written(time));
    let endless = |endless: bool| move || endless.then(|| ENDLESS.to_owned());
    env.for_both("CONNECT_TIMEOUT", &timeouts.connect.map(time));
    env.for_both("DISCOVERY_IDLE_TIMEOUT", &timeouts.discovery.map(time));
    env.for_both("DETECT_TIMEOUT", &timeouts.endless_detection.map(endless));
}

fn identity(env: &mut Variables, injection: &Injection<'_>) {
    let config = injection.config;
    env.set(
        "IDENTITY_SVC_ADDR",
        config.service("mesh-identity-headless", 8080),
    );
    env.set("IDENTITY_SVC_NAME", config.identity("mesh-identity"));
    env.set(
        "IDENTITY_LOCAL_NAME",
        format!("$(_pod_sa).$(_pod_ns).{}", config.identity_suffix()),
    );
    env.set(
        "IDENTITY_TRUST_ANCHORS_FILE",
        format!("{TRUST_MOUNT}/{TRUST_BUNDLE_KEY}"),
    );
    env.set("IDENTITY_TOKEN_FILE", format!("{TOKEN_MOUNT}/{TOKEN_NAME}"));
}

impl<T: Copy> Both<T> {
    fn map<U>(&self, f: impl Fn(T) -> U) -> Both<U> {
        Both {
            inbound: f(self.inbound),
            outbound: f(self.outbound),
        }
    }
}

/// As the proxy's settings are written.
fn written(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}

pub(super) fn comma<T: ToString>(list: &[T]) -> String {
    list.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
