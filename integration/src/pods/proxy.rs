//! The proxy of a pod: the environment that the injector would write.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use super::control::ControlPlane;
use super::identities::{control_plane, identity};
use super::manifests::NAMESPACE;
use super::netns::Netns;
use super::process::{self, Process};
use super::root::binary;

/// Linkerd's uid for proxies, which interception exempts.
const UID: u32 = 2102;
/// Its admin port.
pub(super) const ADMIN: u16 = 4191;

/// What a proxy is told about its pod.
#[derive(Debug)]
pub(super) struct ProxyFacts<'a> {
    pub(super) pod: &'a str,
    pub(super) account: &'a str,
    pub(super) ips: &'a [IpAddr],
    pub(super) ports: &'a [u16],
    /// What a test sets, without the prefix.
    pub(super) settings: &'a [(String, String)],
}

pub(super) fn start(
    facts: &ProxyFacts<'_>,
    control: &ControlPlane,
    netns: &Netns,
    dir: &Path,
) -> Process {
    let mut command = Command::new(binary("mesh-proxy"));
    command.current_dir(dir).env_clear();
    let settings = listeners(facts).into_iter();
    let settings = settings.chain(upstream(facts, control)).chain([
        ("LOG", "info,mesh=debug".to_owned()),
        ("SHUTDOWN_ENDPOINT_ENABLED", "true".to_owned()),
    ]);
    for (name, value) in settings {
        command.env(format!("MESH_PROXY_{name}"), value);
    }
    for (name, value) in facts.settings {
        command.env(format!("MESH_PROXY_{name}"), value);
    }
    process::start("proxy", command, UID, netns, dir)
}

fn listeners(facts: &ProxyFacts<'_>) -> [(&'static str, String); 5] {
    let any = any_address(facts.ips);
    let list = |items: Vec<String>| items.join(",");
    [
        ("INBOUND_LISTEN_ADDR", format!("{any}:4143")),
        ("ADMIN_LISTEN_ADDR", format!("{any}:{ADMIN}")),
        (
            "INBOUND_IPS",
            list(facts.ips.iter().map(ToString::to_string).collect()),
        ),
        (
            "INBOUND_PORTS",
            list(facts.ports.iter().map(ToString::to_string).collect()),
        ),
        ("INBOUND_DEFAULT_POLICY", "all-unauthenticated".to_owned()),
    ]
}

/// The address that means all addresses of the pod's families.
pub(super) fn any_address(ips: &[IpAddr]) -> &'static str {
    if ips.iter().any(IpAddr::is_ipv6) {
        "[::]"
    } else {
        "0.0.0.0"
    }
}

fn upstream(facts: &ProxyFacts<'_>, control: &ControlPlane) -> Vec<(&'static str, String)> {
    let ProxyFacts { pod, account, .. } = facts;
    let identities = control.identities();
    let path = |path: &Path| path.display().to_string();
    vec![
        ("IDENTITY_SVC_ADDR", control.identity_addr().to_string()),
        ("IDENTITY_SVC_NAME", control_plane("mesh-identity")),
        ("IDENTITY_LOCAL_NAME", identity(account)),
        (
            "IDENTITY_TRUST_ANCHORS_FILE",
            path(&identities.trust_anchors()),
        ),
        (
            "IDENTITY_TOKEN_FILE",
            path(&identities.token(NAMESPACE, account)),
        ),
        (
            "DESTINATION_SVC_ADDR",
            control.destination_addr().to_string(),
        ),
        ("DESTINATION_SVC_NAME", control_plane("mesh-destination")),
        (
            "DESTINATION_CONTEXT",
            format!(r#"{{"ns":"{NAMESPACE}","nodeName":"node","pod":"{pod}"}}"#),
        ),
        ("POLICY_SVC_ADDR", control.policy_addr().to_string()),
        ("POLICY_SVC_NAME", control_plane("mesh-destination")),
        (
            "POLICY_WORKLOAD",
            format!(r#"{{"ns":"{NAMESPACE}","pod":"{pod}"}}"#),
        ),
    ]
}
