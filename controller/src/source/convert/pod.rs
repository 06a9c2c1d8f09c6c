//! Pod.
//!
//! A pod is meshed when it carries the label of a control plane and a container
//! with the proxy in it. Linkerd goes by the label alone; a pod that has been
//! labelled by hand, with no proxy to answer, would then refuse every client.

use super::{super::annotations::Annotations, Converted, Invalid, ip, name, namespace};
use crate::model::object::{Object, Pod, PodTemplate, Proxy};
use k8s_openapi::{
    api::core::v1::{self, Container, PodSpec, PodStatus},
    apimachinery::pkg::{apis::meta::v1::OwnerReference, util::intstr::IntOrString},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

/// The namespace of the control plane that injected the pod's proxy.
const CONTROL_PLANE: &str = "mesh.dev/control-plane-ns";
/// The container that the proxy runs in.
const PROXY: &str = "mesh-proxy";
/// The proxy's setting for where it takes connections, by its two names.
const INBOUND_ADDRESS: [&str; 2] = [
    "MESH_PROXY_INBOUND_LISTEN_ADDR",
    "LINKERD2_PROXY_INBOUND_LISTEN_ADDR",
];
/// Where it takes them when nothing is said.
const INBOUND_PORT: u16 = 4143;

pub(super) fn convert(pod: v1::Pod) -> Result<Converted, Invalid> {
    let mut annotations = Annotations::new(pod.metadata.annotations.as_ref());
    let spec = pod.spec.unwrap_or_default();
    let status = pod.status.unwrap_or_default();
    let named_ports = named_ports(&spec);
    let named = |name: &str| named_ports.get(name).copied();
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let template = PodTemplate {
        owner: owner(pod.metadata.owner_references.as_deref(), &labels),
        proxy: proxy(&spec, &labels, &mut annotations),
        opaque_ports: annotations.ports("opaque-ports", named),
        default_policy: annotations.config("default-inbound-policy"),
        identity_ports: annotations
            .ports("proxy-require-identity-inbound-ports", named)
            .unwrap_or_default(),
        probes: probes(&spec),
        service_account: account(&spec).to_owned(),
        labels,
        named_ports,
    };
    let object = Pod {
        namespace: namespace(&pod.metadata).into(),
        name: name(&pod.metadata)?.into(),
        uid: pod.metadata.uid.clone().map(Into::into),
        ips: ips(&spec, &status)?,
        template: Arc::new(template),
    };
    Ok(Converted {
        object: Some(Object::Pod(Arc::new(object))),
        warnings: annotations.warnings,
    })
}

fn account(spec: &PodSpec) -> &str {
    let account = spec.service_account_name.as_deref();
    account.filter(|name| !name.is_empty()).unwrap_or("default")
}

/// A pod that has ended may still show an address that is another's by now;
/// one on the host's network shares its node's.
fn ips(spec: &PodSpec, status: &PodStatus) -> Result<Vec<IpAddr>, Invalid> {
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    if ended || spec.host_network == Some(true) {
        return Ok(Vec::new());
    }
    let all = status.pod_ips.iter().flatten().enumerate();
    let mut ips = Vec::new();
    for (i, each) in all {
        ips.push(ip(&format!("status.podIPs[{i}].ip"), &each.ip)?);
    }
    if let Some(first) = status.pod_ip.as_deref().filter(|text| !text.is_empty()) {
        let first = ip("status.podIP", first)?;
        if !ips.contains(&first) {
            ips.push(first);
        }
    }
    Ok(ips)
}

fn proxy(
    spec: &PodSpec,
    labels: &BTreeMap<String, String>,
    annotations: &mut Annotations<'_>,
) -> Option<Proxy> {
    let control_plane = labels
        .get(CONTROL_PLANE)
        .filter(|namespace| !namespace.is_empty())?;
    let container = containers(spec).find(|container| container.name == PROXY)?;
    let skip_inbound = annotations.ports("skip-inbound-ports", |_| None);
    Some(Proxy {
        control_plane: control_plane.clone(),
        inbound_port: inbound_port(container).unwrap_or(INBOUND_PORT),
        skip_inbound: skip_inbound.unwrap_or_default(),
    })
}

fn inbound_port(proxy: &Container) -> Option<u16> {
    let settings = || proxy.env.iter().flatten();
    let value = |name: &&str| settings().find(|env| env.name == *name)?.value.as_deref();
    let (_, port) = INBOUND_ADDRESS.iter().find_map(value)?.rsplit_once(':')?;
    port.parse().ok().filter(|port| *port > 0)
}

/// Init containers too: a native sidecar is one.
fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
}

fn named_ports(spec: &PodSpec) -> BTreeMap<String, u16> {
    let ports = containers(spec).flat_map(|container| container.ports.iter().flatten());
    let named = ports.filter_map(|port| {
        let number = u16::try_from(port.container_port).ok()?;
        Some((port.name.clone()?, number))
    });
    named.collect()
}

/// The paths of HTTP probes, by port, of all containers but the proxy.
fn probes(spec: &PodSpec) -> BTreeMap<u16, BTreeSet<String>> {
    let mut paths = BTreeMap::<u16, BTreeSet<String>>::new();
    for container in containers(spec).filter(|container| container.name != PROXY) {
        let probes = [
            &container.liveness_probe,
            &container.readiness_probe,
            &container.startup_probe,
        ];
        let actions = probes
            .into_iter()
            .flatten()
            .filter_map(|probe| probe.http_get.as_ref());
        for action in actions {
            if let Some(port) = probe_port(container, &action.port) {
                let path = action.path.as_deref().unwrap_or("/");
                // A request's path is matched without its query.
                let path = path.split(['?', '#']).next().unwrap_or("/");
                paths.entry(port).or_default().insert(path.to_owned());
            }
        }
    }
    paths
}

fn probe_port(container: &Container, port: &IntOrString) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            let named = ports.find(|port| port.name.as_ref() == Some(name))?;
            u16::try_from(named.container_port).ok()
        }
    }
}

/// Kind and name of what made the pod. A ReplicaSet named after its Deployment
/// and the pod template's hash stands for the Deployment.
fn owner(
    owners: Option<&[OwnerReference]>,
    labels: &BTreeMap<String, String>,
) -> Option<(String, String)> {
    let owners = owners?;
    let controller = owners.iter().find(|owner| owner.controller == Some(true));
    let owner = controller.or_else(|| owners.first())?;
    let suffix = labels
        .get("pod-template-hash")
        .map(|hash| format!("-{hash}"));
    let deployment = suffix.and_then(|suffix| owner.name.strip_suffix(&suffix));
    match (owner.kind.as_str(), deployment) {
        ("ReplicaSet", Some(name)) => Some(("deployment".to_owned(), name.to_owned())),
        (kind, _) => Some((kind.to_ascii_lowercase(), owner.name.clone())),
    }
}
