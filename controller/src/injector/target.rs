//! What the injector needs to know of a pod.
//!
//! Read into the API's types, so that a field of a wrong shape is named; but what
//! is injected is a patch on the object as it came, so that fields newer than
//! these types stay.

use super::annotations::Annotations;
use crate::model::ports::PortSet;
use k8s_openapi::{
    api::core::v1::{self, Container, ContainerPort, PodSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde_json::Value;

/// Names of containers that are a proxy, ours or Linkerd's.
const PROXIES: [&str; 2] = [super::PROXY, "linkerd-proxy"];
const INITS: [&str; 2] = [super::INIT, "linkerd-init"];

/// The object is no pod.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Unreadable {
    /// Where in the object.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

/// Kind and name of what a pod belongs to: `deployment`, `web`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Lower case.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A pod, as far as it matters.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) annotations: Annotations,
    pub(super) owner: Option<Owner>,
    spec: PodSpec,
}

impl Target {
    /// Reads `metadata` and `spec` of a pod or of a template of pods.
    pub(super) fn read(object: &Value) -> Result<Self, Unreadable> {
        if !object
            .pointer("/spec/containers")
            .is_some_and(Value::is_array)
        {
            return Err(Unreadable {
                field: "spec.containers".to_owned(),
                why: "a pod needs a list of containers".to_owned(),
            });
        }
        let part = |name: &str| {
            (
                name.to_owned(),
                object.get(name).cloned().unwrap_or_default(),
            )
        };
        let mut parts: serde_json::Map<_, _> = ["metadata", "spec"].map(part).into_iter().collect();
        parts.retain(|_, part| !part.is_null());
        let pod: v1::Pod =
            serde_path_to_error::deserialize(Value::Object(parts)).map_err(|error| Unreadable {
                field: error.path().to_string(),
                why: error.inner().to_string(),
            })?;
        let owner = owner(&pod.metadata);
        Ok(Self {
            annotations: pod.metadata.annotations.unwrap_or_default(),
            owner,
            spec: pod.spec.unwrap_or_default(),
        })
    }

    pub(super) fn host_network(&self) -> bool {
        self.spec.host_network == Some(true)
    }

    pub(super) fn has_proxy(&self) -> bool {
        let proxy = self
            .spec
            .containers
            .iter()
            .any(|c| PROXIES.contains(&c.name.as_str()));
        let mut init = self.spec.init_containers.iter().flatten();
        proxy
            || init.any(|c| PROXIES.contains(&c.name.as_str()) || INITS.contains(&c.name.as_str()))
    }

    /// Containers that run beside the proxy: native sidecars too.
    fn containers(&self) -> impl Iterator<Item = &Container> {
        let sidecar = |c: &&Container| c.restart_policy.as_deref() == Some("Always");
        let sidecars = self.spec.init_containers.iter().flatten().filter(sidecar);
        self.spec.containers.iter().chain(sidecars)
    }

    fn ports(&self) -> impl Iterator<Item = &ContainerPort> {
        self.containers()
            .flat_map(|container| container.ports.iter().flatten())
    }

    /// TCP ports, each once, as they are written.
    pub(super) fn tcp_ports(&self) -> Vec<u16> {
        let tcp = |port: &&ContainerPort| matches!(port.protocol.as_deref(), None | Some("TCP"));
        let mut ports = Vec::new();
        for port in self.ports().filter(tcp) {
            if let Ok(number) = u16::try_from(port.container_port)
                && !ports.contains(&number)
            {
                ports.push(number);
            }
        }
        ports
    }

    pub(super) fn has_udp_port(&self) -> bool {
        self.ports()
            .any(|port| port.protocol.as_deref() == Some("UDP"))
    }

    /// The container whose connections would pass for the proxy's.
    pub(super) fn runs_as(&self, uid: i64) -> Option<&str> {
        let of_pod = self
            .spec
            .security_context
            .as_ref()
            .and_then(|context| context.run_as_user);
        let runs = |container: &&Container| {
            let own = container
                .security_context
                .as_ref()
                .and_then(|context| context.run_as_user);
            own.or(of_pod) == Some(uid)
        };
        self.containers()
            .find(runs)
            .map(|container| container.name.as_str())
    }

    /// Resolves names of container ports; the other result has those that are
    /// no container's.
    pub(super) fn resolve(&self, ports: &str) -> (PortSet, Vec<String>) {
        let named = |name: &str| {
            let port = self
                .ports()
                .find(|port| port.name.as_deref() == Some(name))?;
            u16::try_from(port.container_port).ok()
        };
        let (ports, bad) = PortSet::parse_with(ports, named);
        (ports, bad.into_iter().map(|bad| bad.0).collect())
    }

    /// A volume of that name is there already.
    pub(super) fn has_volume(&self, name: &str) -> bool {
        self.spec
            .volumes
            .iter()
            .flatten()
            .any(|volume| volume.name == name)
    }
}

/// A ReplicaSet named after its Deployment and the hash of the template stands
/// for the Deployment. Names that fit no label are left out.
fn owner(metadata: &ObjectMeta) -> Option<Owner> {
    let owners = metadata.owner_references.as_ref()?;
    let controller = owners.iter().find(|owner| owner.controller == Some(true));
    let owner = controller.or_else(|| owners.first())?;
    let hash = metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get("pod-template-hash"));
    let deployment = hash.and_then(|hash| owner.name.strip_suffix(&format!("-{hash}")));
    Some(match (owner.kind.as_str(), deployment) {
        ("ReplicaSet", Some(name)) => Owner::new("deployment", name),
        (kind, _) => Owner::new(kind, &owner.name),
    })
}

impl Owner {
    /// The owner that a pod names, if it is of a readable shape.
    pub(super) fn of(object: &Value) -> Option<Self> {
        let metadata = object.get("metadata")?.clone();
        owner(&serde_json::from_value(metadata).ok()?)
    }

    /// An owner of a kind, in whatever case.
    #[must_use]
    pub fn new(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_ascii_lowercase(),
            name: name.to_owned(),
        }
    }
}
