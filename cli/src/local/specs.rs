//! The parts of a mesh on this machine: the command line of each, and what tells that it serves.

use std::ffi::OsString;
use std::path::Path;

use super::identities::Identities;
use super::process::Spec;
use super::proxy_env::proxy_env;
use super::ready::Probe;
use super::settings::Settings;
use super::topology::{Topology, Workload, port, replica_name};

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The identity service.
    Identity,
    /// The controller, which follows the folder of manifests.
    Controller,
    /// The application of the replica with this number.
    App(u8),
    /// The proxy of the replica with this number.
    Proxy(u8),
    /// The proxy of the client.
    ClientProxy,
}

impl Part {
    /// As in messages, logs and reports.
    pub fn name(self) -> String {
        match self {
            Self::Identity => "identity".to_owned(),
            Self::Controller => "controller".to_owned(),
            Self::App(index) => replica_name(index),
            Self::Proxy(index) => format!("{}-proxy", replica_name(index)),
            Self::ClientProxy => "client-proxy".to_owned(),
        }
    }

    /// Tells that it serves.
    pub(super) fn probe(self, topology: Topology) -> Probe {
        match self {
            Self::Identity => Probe::Accepts(topology.control_plane(port::IDENTITY)),
            Self::Controller => Probe::Accepts(topology.control_plane(port::DESTINATION)),
            Self::App(index) => Probe::Accepts(topology.replica(index).addr(port::APP_GRPC)),
            Self::Proxy(index) => Probe::Ready(topology.replica(index).addr(port::ADMIN)),
            Self::ClientProxy => Probe::Ready(topology.client().addr(port::ADMIN)),
        }
    }

    /// How it is started.
    pub(super) fn spec(self, settings: &Settings, folders: &Folders<'_>) -> Spec {
        let topology = settings.topology;
        let proxy = |workload: &Workload| {
            let env = proxy_env(settings, workload, folders.identities.files(workload));
            (vec!["run".into(), "proxy".into()], env)
        };
        let (args, env) = match self {
            Self::Identity => (identity(settings, folders.identities), Vec::new()),
            Self::Controller => (controller(topology, folders.manifests), Vec::new()),
            Self::App(index) => (app(settings, index), Vec::new()),
            Self::Proxy(index) => proxy(&topology.replica(index)),
            Self::ClientProxy => proxy(&topology.client()),
        };
        Spec {
            name: self.name(),
            args,
            env,
        }
    }
}

/// What processes read.
#[derive(Debug)]
pub(super) struct Folders<'a> {
    pub(super) identities: &'a Identities,
    pub(super) manifests: &'a Path,
}

fn identity(settings: &Settings, identities: &Identities) -> Vec<OsString> {
    let topology = settings.topology;
    let certificates = settings.certificates;
    vec![
        "run".into(),
        "identity".into(),
        "--dir".into(),
        identities.dir().into(),
        format!("--listen={}", topology.control_plane(port::IDENTITY)).into(),
        format!("--admin={}", topology.control_plane(port::IDENTITY_ADMIN)).into(),
        format!("--lifetime={}ms", certificates.lifetime.as_millis()).into(),
        format!("--clock-skew={}ms", certificates.clock_skew.as_millis()).into(),
    ]
}

fn controller(topology: Topology, manifests: &Path) -> Vec<OsString> {
    let at = |port| topology.control_plane(port);
    vec![
        "run".into(),
        "controller".into(),
        "--source".into(),
        manifests.into(),
        format!("--destination={}", at(port::DESTINATION)).into(),
        format!("--policy={}", at(port::POLICY)).into(),
        format!("--admin={}", at(port::CONTROLLER_ADMIN)).into(),
    ]
}

fn app(settings: &Settings, index: u8) -> Vec<OsString> {
    let replica = settings.topology.replica(index);
    let behaviour = (settings.replica)(index);
    let args = [
        "run".to_owned(),
        "app".to_owned(),
        format!("--name={}", replica.name),
        format!("--listen={}", replica.addr(port::APP_HTTP)),
        format!("--listen={}", replica.addr(port::APP_GRPC)),
        format!("--base={}us", behaviour.base.as_micros()),
        format!("--tail={}us", behaviour.tail.as_micros()),
        format!("--failure-rate={}", behaviour.failure_rate),
        format!("--seed={}", behaviour.seed),
    ];
    args.map(OsString::from).into()
}
