//! The proxy of a pod: the environment that the injector would write.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};

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

/// The program that is a pod's proxy.
#[derive(Clone, Debug)]
pub struct ProxyProgram {
    /// What to run, and its arguments.
    pub command: Vec<String>,
    /// Before the name of each setting in its environment.
    pub prefix: &'static str,
}

impl Default for ProxyProgram {
    fn default() -> Self {
        Self {
            command: vec![binary("mesh-proxy")],
            prefix: "MESH_PROXY_",
        }
    }
}

/// What a proxy is told about its pod.
#[derive(Debug)]
pub(super) struct ProxyFacts<'a> {
    pub(super) pod: &'a str,
    pub(super) account: &'a str,
    pub(super) ips: &'a [IpAddr],
    pub(super) ports: &'a [u16],
    /// What a test sets, without the prefix.
    pub(super) settings: &'a [(String, String)],
    pub(super) program: &'a ProxyProgram,
}

pub(super) fn start(
    facts: &ProxyFacts<'_>,
    control: &ControlPlane,
    netns: &Netns,
    dir: &Path,
) -> Process {
    let ProxyProgram {
        command: words,
        prefix,
    } = facts.program;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command.current_dir(dir).env_clear();
    let settings = listeners(facts).into_iter();
    let settings = settings.chain(upstream(facts, control)).chain([
        ("LOG", "info,mesh=debug".to_owned()),
        ("SHUTDOWN_ENDPOINT_ENABLED", "true".to_owned()),
    ]);
    for (name, value) in settings {
        command.env(format!("{prefix}{name}"), value);
    }
    if prefix.starts_with("LINKERD2") {
        for (name, value) in own_key(facts, control, dir) {
            command.env(format!("{prefix}{name}"), value);
        }
    }
    for (name, value) in facts.settings {
        command.env(format!("{prefix}{name}"), value);
    }
    process::start("proxy", command, UID, netns, dir)
}

/// Linkerd's proxy does not make its key: something else beside it does, and puts it into a folder.
fn own_key(
    facts: &ProxyFacts<'_>,
    control: &ControlPlane,
    dir: &Path,
) -> [(&'static str, String); 2] {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::new(vec![identity(facts.account)])
        .and_then(|params| params.serialize_request(&key))
        .unwrap();
    for (name, bytes) in [
        ("key.p8", key.serialize_der()),
        ("csr.der", request.der().to_vec()),
    ] {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        std::os::unix::fs::chown(path, Some(UID), Some(UID)).unwrap();
    }
    let anchors = std::fs::read_to_string(control.identities().trust_anchors());
    [
        ("IDENTITY_DIR", dir.display().to_string()),
        ("IDENTITY_TRUST_ANCHORS", anchors.unwrap()),
    ]
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
