//! The control plane: the real identity service and controller, each in a pod of its own, spoken to by mutual TLS as in a cluster.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use parking_lot::Mutex;

use super::identities::{Identities, MESH_NAMESPACE};
use super::manifests::Manifests;
use super::netns::Netns;
use super::node::Node;
use super::process::{self, Process};
use super::proxy::any_address;
use super::root::binary;
use super::wait::until;

const IDENTITY: u16 = 8080;
const DESTINATION: u16 = 8086;
const POLICY: u16 = 8090;
const ADMIN: u16 = 9990;
/// The uid of both.
const UID: u32 = 0;

/// One part: its pod and its process.
#[derive(Debug)]
struct Part {
    netns: Netns,
    ips: Vec<IpAddr>,
    process: Mutex<Option<Process>>,
}

impl Part {
    fn create(node: &Node, cluster: &str) -> Self {
        let number = node.number();
        let netns = Netns::create(&format!("{cluster}-{number}"));
        let ips = node.pod_ips(number);
        node.attach(&netns, &ips, None);
        let process = Mutex::default();
        Self {
            netns,
            ips,
            process,
        }
    }

    fn addr(&self, port: u16) -> SocketAddr {
        (self.ips[0], port).into()
    }

    fn run(&self, name: &str, arguments: Vec<String>, dir: &Path) {
        let mut command = Command::new(binary(name));
        command.args(arguments);
        let process = process::start(name, command, UID, &self.netns, dir);
        *self.process.lock() = Some(process);
    }

    fn ready(&self) -> bool {
        self.netns.get(self.addr(ADMIN), "/ready").is_some()
    }

    fn kill(&self) {
        self.process.lock().take();
    }
}

/// Identity and controller.
#[derive(Debug)]
pub(super) struct ControlPlane {
    identity: Part,
    controller: Part,
    identities: Identities,
    manifests: Manifests,
    dir: PathBuf,
    lifetime: Duration,
}

impl ControlPlane {
    /// Starts both. Certificates live for `lifetime`, in whole seconds.
    pub(super) fn start(node: &Node, cluster: &str, dir: &Path, lifetime: Duration) -> Self {
        let control = Self {
            identity: Part::create(node, cluster),
            controller: Part::create(node, cluster),
            identities: Identities::create(&dir.join("identities")),
            manifests: Manifests::create(dir.join("manifests")),
            dir: dir.to_owned(),
            lifetime,
        };
        control.start_identity();
        control.start_controller();
        control
    }

    pub(super) fn start_identity(&self) {
        let any = any_address(&self.identity.ips);
        let arguments = vec![
            format!("--dir={}", self.identities.dir().display()),
            format!("--listen={any}:{IDENTITY}"),
            format!("--admin={any}:{ADMIN}"),
            format!("--lifetime-seconds={}", self.lifetime.as_secs()),
            "--clock-skew-seconds=0".to_owned(),
        ];
        self.identity.run("mesh-identity", arguments, &self.dir);
        until("the identity service to be ready", || self.identity.ready());
    }

    pub(super) fn start_controller(&self) {
        let any = any_address(&self.controller.ips);
        let token = self.identities.token(MESH_NAMESPACE, "mesh-destination");
        let arguments = vec![
            format!("--source={}", self.manifests.dir().display()),
            format!("--destination-addr={any}:{DESTINATION}"),
            format!("--policy-addr={any}:{POLICY}"),
            format!("--admin-addr={any}:{ADMIN}"),
            format!("--identity-addr={}", self.identity_addr()),
            format!("--identity-token={}", token.display()),
            format!(
                "--trust-anchors={}",
                self.identities.trust_anchors().display()
            ),
        ];
        self.controller.run("mesh-controller", arguments, &self.dir);
        until("the controller to be ready", || self.controller.ready());
    }

    pub(super) fn kill_identity(&self) {
        self.identity.kill();
    }

    pub(super) fn kill_controller(&self) {
        self.controller.kill();
    }

    /// Waits until the controller knows every manifest.
    pub(super) fn settle(&self) {
        let wanted = self.manifests.count();
        until(
            format_args!("the controller to know {wanted} objects"),
            || self.objects() == Some(wanted),
        );
    }

    fn objects(&self) -> Option<usize> {
        let addr = self.controller.addr(ADMIN);
        let metrics = self.controller.netns.get(addr, "/metrics")?;
        let counts = metrics
            .lines()
            .filter(|line| line.starts_with("mesh_controller_objects{"));
        let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
        Some(counts.sum())
    }

    pub(super) fn identities(&self) -> &Identities {
        &self.identities
    }

    pub(super) fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    pub(super) fn identity_addr(&self) -> SocketAddr {
        self.identity.addr(IDENTITY)
    }

    pub(super) fn destination_addr(&self) -> SocketAddr {
        self.controller.addr(DESTINATION)
    }

    pub(super) fn policy_addr(&self) -> SocketAddr {
        self.controller.addr(POLICY)
    }

    /// What both have said last.
    pub(super) fn tails(&self) -> String {
        let parts = [&self.identity, &self.controller];
        let tail = |part: &Part| part.process.lock().as_ref().map(Process::tail);
        parts.into_iter().filter_map(tail).collect()
    }
}
