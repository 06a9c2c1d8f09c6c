//! The environment of a workload's proxy: what the injector would write into the pod.

use std::path::Path;
use std::time::Duration;

use super::settings::Settings;
use super::topology::{MESH_NAMESPACE, NAMESPACE, Topology, Workload, identity, port};

/// Files that a proxy reads its identity from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdentityFiles<'a> {
    pub(crate) trust_anchors: &'a Path,
    pub(crate) token: &'a Path,
}

/// Every variable for the proxy of `workload`.
///
/// The control plane is at loopback addresses, where connections to it are plain text; the names are what a proxy would verify on any
/// other address.
pub(crate) fn proxy_env(
    settings: &Settings,
    workload: &Workload,
    files: IdentityFiles<'_>,
) -> Vec<(&'static str, String)> {
    let mut env = listeners(workload);
    env.extend(control_plane(settings.topology));
    env.extend(workload_identity(workload, files));
    env.extend([
        (
            "MESH_PROXY_SHUTDOWN_GRACE_PERIOD",
            millis(settings.grace_period),
        ),
        (
            "MESH_PROXY_IDENTITY_MIN_REFRESH",
            millis(settings.certificates.min_refresh),
        ),
        ("MESH_PROXY_SHUTDOWN_ENDPOINT_ENABLED", "true".to_owned()),
        ("MESH_PROXY_LOG", "info".to_owned()),
    ]);
    env
}

/// A time as the proxy's settings take it.
fn millis(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

fn workload_identity(workload: &Workload, files: IdentityFiles<'_>) -> [(&'static str, String); 5] {
    let name = &workload.name;
    let context = format!(r#"{{"ns":"{NAMESPACE}","nodeName":"this-machine","pod":"{name}"}}"#);
    let workload_key = format!(r#"{{"ns":"{NAMESPACE}","pod":"{name}"}}"#);
    [
        (
            "MESH_PROXY_IDENTITY_TRUST_ANCHORS_FILE",
            files.trust_anchors.display().to_string(),
        ),
        (
            "MESH_PROXY_IDENTITY_TOKEN_FILE",
            files.token.display().to_string(),
        ),
        ("MESH_PROXY_IDENTITY_LOCAL_NAME", workload.identity()),
        ("MESH_PROXY_DESTINATION_CONTEXT", context),
        ("MESH_PROXY_POLICY_WORKLOAD", workload_key),
    ]
}

fn listeners(workload: &Workload) -> Vec<(&'static str, String)> {
    let at = |port| workload.addr(port).to_string();
    vec![
        ("MESH_PROXY_OUTBOUND_LISTEN_ADDRS", at(port::OUTBOUND)),
        ("MESH_PROXY_INBOUND_LISTEN_ADDR", at(port::INBOUND)),
        ("MESH_PROXY_ADMIN_LISTEN_ADDR", at(port::ADMIN)),
        ("MESH_PROXY_CONTROL_LISTEN_ADDR", at(port::TAP)),
        ("MESH_PROXY_INBOUND_IPS", workload.ip.to_string()),
        (
            "MESH_PROXY_INBOUND_PORTS",
            format!("{},{}", port::APP_HTTP, port::APP_GRPC),
        ),
        (
            "MESH_PROXY_INBOUND_DEFAULT_POLICY",
            "all-unauthenticated".to_owned(),
        ),
        (
            "MESH_PROXY_POLICY_CLUSTER_NETWORKS",
            "127.0.0.0/8".to_owned(),
        ),
    ]
}

fn control_plane(topology: Topology) -> [(&'static str, String); 6] {
    let at = |port| topology.control_plane(port).to_string();
    [
        ("MESH_PROXY_DESTINATION_SVC_ADDR", at(port::DESTINATION)),
        (
            "MESH_PROXY_DESTINATION_SVC_NAME",
            identity("mesh-destination", MESH_NAMESPACE),
        ),
        ("MESH_PROXY_POLICY_SVC_ADDR", at(port::POLICY)),
        (
            "MESH_PROXY_POLICY_SVC_NAME",
            identity("mesh-destination", MESH_NAMESPACE),
        ),
        ("MESH_PROXY_IDENTITY_SVC_ADDR", at(port::IDENTITY)),
        (
            "MESH_PROXY_IDENTITY_SVC_NAME",
            identity("mesh-identity", MESH_NAMESPACE),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::assert_golden;

    fn env() -> Vec<(&'static str, String)> {
        let settings = Settings::for_tests();
        let workload = settings.topology.replica(3);
        let files = IdentityFiles {
            trust_anchors: Path::new("/demo/ca.crt"),
            token: Path::new("/demo/web-3.token"),
        };
        proxy_env(&settings, &workload, files)
    }

    #[test]
    fn the_environment_is_as_recorded() {
        let text: String = env()
            .iter()
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect();
        assert_golden("proxy-env.txt", &text);
    }

    #[test]
    fn the_proxy_knows_every_variable_and_takes_its_value() {
        let vars = env()
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let config = mesh_proxy::config::Config::from_vars(&vars).unwrap();
        assert_eq!(config.unknown, Vec::<String>::new());
        assert_eq!(config.inbound.listen, "127.0.1.5:4143".parse().unwrap());
    }
}
