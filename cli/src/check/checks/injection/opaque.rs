//! Whether pods and Services say the same of opaque ports.
//!
//! The controller joins what they say (`controller/src/model/opaque.rs`): a port is opaque
//! when its pod or any Service that leads to it says so, and one of the two is enough. So
//! Linkerd's warning, that one has the annotation and the other has not, would be false here.
//! What is left is a contradiction: both have the annotation, and it says something else
//! of the same port. Ports are compared as the pod has them, through each Service's target
//! port, number or name (Linkerd compared numbers of different things: linkerd2 #6783, #6801),
//! and a port without a name is not that of another one without a name (#7006).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt as _;
use mesh_controller::PortSet;

use super::super::super::{Finding, Snapshot, nothing_wrong};
use super::super::data_plane::meshed;
use super::super::pods::{containers, namespace_of};
use super::{opaque_ports, services};

pub(super) fn agree(snapshot: &Snapshot) -> Finding {
    let pods = meshed(snapshot)?;
    let services = services(snapshot)?.into_iter();
    let annotated = services
        .filter_map(|(name, service)| Some((name, service, opaque_ports(&service.metadata)?)));
    let mut lines = Vec::new();
    for (name, service, text) in annotated {
        // Pods of one workload have the same to say: one line for each Service and port.
        let mut contradictions = BTreeMap::new();
        for pod in pods.iter().filter(|pod| selects(service, pod)) {
            for (port, said) in compare(service, text, pod) {
                contradictions.entry(port).or_insert((said, pod.name_any()));
            }
        }
        lines.extend(contradictions.into_iter().map(|(port, (service_says, pod))| {
            let (service_says, pod_says) = match service_says {
                true => ("opaque", "not opaque"),
                false => ("not opaque", "opaque"),
            };
            format!("port {port} of pod {pod} is {pod_says} by its own annotation, but {service_says} by that of {name}; opaque wins")
        }));
    }
    nothing_wrong(lines)
}

fn selects(service: &Service, pod: &Pod) -> bool {
    let selector = service
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.as_ref());
    let labels = pod.labels();
    let same_namespace = namespace_of(&service.metadata) == namespace_of(&pod.metadata);
    same_namespace
        && selector.is_some_and(|selector| {
            !selector.is_empty()
                && selector
                    .iter()
                    .all(|(name, value)| labels.get(name) == Some(value))
        })
}

/// Ports of the pod that the two disagree about, and whether the Service says opaque.
fn compare(service: &Service, text: &str, pod: &Pod) -> Vec<(u16, bool)> {
    let Some(of_pod) = opaque_ports(&pod.metadata) else {
        return Vec::new();
    };
    let ports = service.spec.iter().flat_map(|spec| &spec.ports).flatten();
    let ports: Vec<_> = ports
        .filter(|port| is_tcp(port.protocol.as_deref()))
        .collect();
    let by_name = |name: &str| {
        let found = ports
            .iter()
            .find(|port| port.name.as_deref() == Some(name))?;
        u16::try_from(found.port).ok()
    };
    let (of_service, _) = PortSet::parse_with(text, by_name);
    let (of_pod, _) = PortSet::parse_with(of_pod, |name| container_port(pod, name));
    let pairs = ports
        .iter()
        .filter_map(|port| Some((u16::try_from(port.port).ok()?, target(port, pod)?)));
    let contradictions = pairs.filter_map(|(port, target)| {
        let (service_says, pod_says) = (of_service.contains(port), of_pod.contains(target));
        (service_says != pod_says).then_some((target, service_says))
    });
    contradictions.collect()
}

fn is_tcp(protocol: Option<&str>) -> bool {
    matches!(protocol, None | Some("TCP"))
}

/// The pod's port that a Service's port leads to.
fn target(port: &ServicePort, pod: &Pod) -> Option<u16> {
    match &port.target_port {
        None | Some(IntOrString::Int(0)) => u16::try_from(port.port).ok(),
        Some(IntOrString::Int(number)) => u16::try_from(*number).ok(),
        Some(IntOrString::String(name)) => container_port(pod, name),
    }
}

fn container_port(pod: &Pod, name: &str) -> Option<u16> {
    let mut ports = containers(pod).flat_map(|container| container.ports.iter().flatten());
    let found = ports.find(|port| port.name.as_deref() == Some(name))?;
    u16::try_from(found.container_port).ok()
}
