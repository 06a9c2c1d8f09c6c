//! What the model keeps of each Kubernetes object.
//!
//! Sources translate whatever they read (files, the API server) into these
//! types once, so the model never sees a manifest: every address is parsed,
//! every annotation checked, and what no answer depends on is gone. Two objects
//! that compare equal lead to the same answers, which is how updates that
//! change nothing (a heartbeat, a status) end before any work is done.

use super::{balancing::Choice, inbound::DefaultPolicy, ports::PortSet, tuning::Tuning};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    sync::Arc,
};

/// A change of one object, as a source reports it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The object is new or different.
    Apply(Object),
    /// The object is gone.
    Delete(ObjectKey),
}

/// An object of a kind that the model knows.
///
/// Routes and policy objects join here as further variants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    Namespace(Namespace),
    Node(Node),
    Pod(Arc<Pod>),
    Service(Box<Service>),
    Slice(Slice),
}

impl Object {
    pub(crate) fn key(&self) -> ObjectKey {
        let (kind, namespace, name) = match self {
            Self::Namespace(object) => (Kind::Namespace, "", &*object.name),
            Self::Node(object) => (Kind::Node, "", &*object.name),
            Self::Pod(object) => (Kind::Pod, &*object.namespace, &*object.name),
            Self::Service(object) => (Kind::Service, &*object.namespace, &*object.name),
            Self::Slice(object) => (Kind::EndpointSlice, &*object.namespace, &*object.name),
        };
        ObjectKey::new(kind, namespace, name)
    }
}

/// The kinds that the model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    EndpointSlice,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Namespace,
        Self::Node,
        Self::Pod,
        Self::Service,
        Self::EndpointSlice,
    ];
}

/// Names one object; `namespace` is empty for cluster-wide kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ObjectKey {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl ObjectKey {
    pub(crate) fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{:?} {}", self.kind, self.name),
            namespace => write!(f, "{:?} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// A namespace's defaults for what is inside.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) opaque_ports: Option<PortSet>,
    pub(crate) default_policy: Option<DefaultPolicy>,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: String,
    /// Label `topology.kubernetes.io/zone`.
    pub(crate) zone: Option<String>,
}

/// A workload.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pod {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    /// Tells pods of one name apart; only the API server gives it.
    pub(crate) uid: Option<Box<str>>,
    /// Empty until the pod has an address, and again once it has ended.
    pub(crate) ips: Vec<IpAddr>,
    pub(crate) template: Arc<PodTemplate>,
}

/// What pods made from one template have in common, and a source may keep once
/// for all of them: of a pod in a cluster it is nearly everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct PodTemplate {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) service_account: String,
    /// Kind in lower case and name, for metric labels: `("deployment", "web")`.
    pub(crate) owner: Option<(String, String)>,
    /// The proxy beside it; `None` for an unmeshed pod.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) opaque_ports: Option<PortSet>,
    pub(crate) default_policy: Option<DefaultPolicy>,
    /// Ports whose clients must have an identity, whatever the default policy.
    pub(crate) identity_ports: PortSet,
    /// Container ports by name.
    pub(crate) named_ports: BTreeMap<String, u16>,
    /// Paths of HTTP probes by port.
    pub(crate) probes: BTreeMap<u16, BTreeSet<String>>,
}

/// What is known of a meshed pod's proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Proxy {
    /// Namespace of the control plane that the proxy belongs to.
    pub(crate) control_plane: String,
    /// Where the proxy takes connections for the pod.
    pub(crate) inbound_port: u16,
    /// Ports whose connections never reach the proxy.
    pub(crate) skip_inbound: PortSet,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Empty for a headless service.
    pub(crate) cluster_ips: Vec<IpAddr>,
    /// `type: ExternalName`: a DNS alias, with no endpoints of its own.
    pub(crate) external: bool,
    pub(crate) selector: BTreeMap<String, String>,
    /// TCP ports only.
    pub(crate) ports: Vec<ServicePort>,
    pub(crate) opaque_ports: Option<PortSet>,
    /// `internalTrafficPolicy: Local`.
    pub(crate) node_local: bool,
    pub(crate) balancing: Choice,
    pub(crate) tuning: Tuning,
}

impl Service {
    pub(crate) fn port(&self, port: u16) -> Option<&ServicePort> {
        self.ports.iter().find(|p| p.port == port)
    }
}

/// A TCP port of a service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServicePort {
    pub(crate) port: u16,
    /// Empty for the only port of a service, which needs no name.
    pub(crate) name: String,
    pub(crate) target: TargetPort,
    pub(crate) protocol: AppProtocol,
}

/// Where a service port leads: a number, or the name of a container port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TargetPort {
    Number(u16),
    Name(String),
}

/// What `appProtocol` says about a service port.
///
/// As Linkerd: `http` is HTTP/1, `kubernetes.io/h2c` is HTTP/2, and any other
/// value is a protocol that we do not parse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AppProtocol {
    #[default]
    Unset,
    Http1,
    Http2,
    Opaque,
}

impl AppProtocol {
    pub(crate) fn parse(value: Option<&str>) -> Self {
        match value {
            None | Some("") => Self::Unset,
            Some("http") => Self::Http1,
            Some("kubernetes.io/h2c") => Self::Http2,
            Some(_) => Self::Opaque,
        }
    }
}

/// Part of a service's endpoints.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slice {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) service: Arc<str>,
    /// Name and number of each TCP port.
    pub(crate) ports: Vec<(String, u16)>,
    pub(crate) endpoints: Vec<SliceEndpoint>,
}

/// One endpoint of a slice, ready or not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SliceEndpoint {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ready: bool,
    pub(crate) hostname: Option<Box<str>>,
    pub(crate) node: Option<Arc<str>>,
    pub(crate) zone: Option<Arc<str>>,
    /// Zones whose clients this endpoint is meant for.
    pub(crate) hints: Vec<Arc<str>>,
    /// The pod behind it, in the slice's namespace.
    pub(crate) pod: Option<Box<str>>,
    /// Which pod of that name.
    pub(crate) pod_uid: Option<Box<str>>,
}
