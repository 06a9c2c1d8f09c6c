//! What a controller is told at its start.

mod flags;
mod role;

pub use flags::Flags;
pub use role::Role;

use crate::model::{Settings, inbound::DefaultPolicy, ports::PortSet};
use ipnet::IpNet;
use mesh_identity::{Credentials, kubernetes::Access};
use metrics_exporter_prometheus::PrometheusHandle;
use std::{
    convert::Infallible,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where the objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceConfig {
    /// In the manifests of a directory.
    Directory(PathBuf),
    /// At a Kubernetes API server.
    Kubernetes(Access),
}

/// `kubernetes`, `directory:PATH`, or a path as it is. A directory of the name
/// `kubernetes` is `./kubernetes`.
impl FromStr for SourceConfig {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "kubernetes" => Self::Kubernetes(Access::default()),
            text => Self::from(text.strip_prefix("directory:").unwrap_or(text)),
        })
    }
}

impl From<&str> for SourceConfig {
    fn from(directory: &str) -> Self {
        Self::Directory(directory.into())
    }
}

impl From<&Path> for SourceConfig {
    fn from(directory: &Path) -> Self {
        Self::Directory(directory.into())
    }
}

impl From<PathBuf> for SourceConfig {
    fn from(directory: PathBuf) -> Self {
        Self::Directory(directory)
    }
}

/// Everything a controller can be told; [`Config::new`] has the defaults.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where the objects are.
    pub source: SourceConfig,
    /// What this process does.
    pub serve: Vec<Role>,
    /// File of the trust anchors (PEM) that the injector keeps in a ConfigMap of every
    /// meshed namespace; followed.
    pub trust_anchors: Option<PathBuf>,
    /// File of what injections go by where neither pod nor namespace says otherwise: a
    /// YAML map from names of annotations, without prefix; followed.
    pub proxy_defaults: Option<PathBuf>,
    /// Where `Destination` and our `Balancing` are served. Port 0 takes any.
    pub destination_addr: SocketAddr,
    /// Where `OutboundPolicies` and `InboundServerPolicies` are served.
    pub policy_addr: SocketAddr,
    /// Where the injection webhook is served, over TLS with a certificate of its own.
    pub injector_addr: SocketAddr,
    /// Where `/live`, `/ready` and `/metrics` are served, in plain HTTP.
    pub admin_addr: SocketAddr,
    /// Namespace of the control plane, part of every identity.
    pub identity_namespace: String,
    /// Last part of every identity.
    pub trust_domain: String,
    /// DNS domain of services.
    pub cluster_domain: String,
    /// Who may connect where nothing else is said.
    pub default_policy: DefaultPolicy,
    /// Ports that carry protocols not to be parsed, where nothing else is said.
    pub opaque_ports: PortSet,
    /// Addresses of pods and services: what is outside is forwarded as it is.
    pub cluster_networks: Vec<IpNet>,
    /// Where HTTP probes may come from.
    pub probe_networks: Vec<IpNet>,
    /// Announce IPv6 endpoints, and prefer them where a pod has both.
    pub ipv6: bool,
    /// Let proxies carry HTTP/1 over HTTP/2 between each other.
    pub h2_upgrade: bool,
    /// Give endpoints in the client's zone ten times the weight.
    pub prefer_local_zone: bool,
    /// Streams that one connection may have open.
    pub max_streams: u32,
    /// Connections that one server may have open.
    pub max_connections: usize,
    /// Our certificate. Without it, only loopback addresses can be served:
    /// clients use mutual TLS to any other.
    pub credentials: Option<Credentials>,
    /// What `/metrics` shows; without it, 404.
    pub metrics: Option<PrometheusHandle>,
}

impl Config {
    /// The defaults, for a source; all listeners on loopback.
    #[must_use]
    pub fn new(source: impl Into<SourceConfig>) -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            source: source.into(),
            serve: vec![Role::Destination],
            trust_anchors: None,
            proxy_defaults: None,
            destination_addr: loopback(8086),
            policy_addr: loopback(8090),
            injector_addr: loopback(8443),
            admin_addr: loopback(9990),
            identity_namespace: "mesh".to_owned(),
            trust_domain: "cluster.local".to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            default_policy: DefaultPolicy::default(),
            opaque_ports: parsed("25,587,3306,4444,5432,6379,9300,11211"),
            cluster_networks: [
                "10.0.0.0/8",
                "100.64.0.0/10",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "fd00::/8",
            ]
            .map(parsed)
            .to_vec(),
            probe_networks: ["0.0.0.0/0", "::/0"].map(parsed).to_vec(),
            ipv6: true,
            h2_upgrade: true,
            prefer_local_zone: false,
            max_streams: 10_000,
            max_connections: 10_000,
            credentials: None,
            metrics: None,
        }
    }

    /// Whether this process has that role.
    pub(crate) fn serves(&self, role: Role) -> bool {
        self.serve.contains(&role)
    }

    /// What the model needs of it.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            identity_namespace: self.identity_namespace.clone(),
            trust_domain: self.trust_domain.clone(),
            default_policy: self.default_policy,
            opaque_ports: self.opaque_ports.clone(),
            cluster_networks: self.cluster_networks.clone(),
            probe_networks: self.probe_networks.clone(),
            ipv6: self.ipv6,
            h2_upgrade: self.h2_upgrade,
            prefer_local_zone: self.prefer_local_zone,
        }
    }
}

/// A default, which a test checks to be well-formed.
fn parsed<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("defaults are well-formed")
}
