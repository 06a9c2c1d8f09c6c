//! What checks ask of pods.

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use mesh_controller::injector::PROXY;

use crate::cluster::PodName;
use crate::install::CONTROL_PLANE;

/// Where a proxy's probes and metrics are when no annotation says otherwise.
const ADMIN: u16 = 4191;

/// Of any object: the control plane it belongs to.
pub(crate) fn owner_namespace(metadata: &ObjectMeta) -> Option<&str> {
    let labels = metadata.labels.as_ref()?;
    labels.get(CONTROL_PLANE).map(String::as_str)
}

/// The namespace of an object that has one.
pub(crate) fn namespace_of(metadata: &ObjectMeta) -> &str {
    metadata.namespace.as_deref().unwrap_or_default()
}

/// A pod as the user would name it.
pub(crate) fn named(pod: &Pod) -> String {
    format!("pod {}", PodName::of(pod))
}

fn spec(pod: &Pod) -> Option<&PodSpec> {
    pod.spec.as_ref()
}

fn status(pod: &Pod) -> Option<&PodStatus> {
    pod.status.as_ref()
}

/// Containers of all kinds.
pub(crate) fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = spec(pod).into_iter();
    spec.flat_map(|spec| {
        spec.containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
    })
}

/// The proxy's container, of a pod that has our proxy.
pub(crate) fn proxy_of(pod: &Pod) -> Option<&Container> {
    owner_namespace(&pod.metadata)?;
    containers(pod).find(|container| container.name == PROXY)
}

/// The port of the proxy's admin server.
pub(crate) fn admin_port(pod: &Pod) -> u16 {
    let ports = proxy_of(pod).and_then(|proxy| proxy.ports.as_ref());
    let mut ports = ports.into_iter().flatten();
    let admin = ports.find(|port| port.name.as_deref() == Some("mesh-admin"));
    let number = admin.and_then(|port| u16::try_from(port.container_port).ok());
    number.unwrap_or(ADMIN)
}

/// Has not ended, and is not being deleted.
pub(crate) fn is_alive(pod: &Pod) -> bool {
    let phase = status(pod).and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// Has processes that can be asked.
pub(crate) fn is_running(pod: &Pod) -> bool {
    let phase = status(pod).and_then(|status| status.phase.as_deref());
    // With its proxy in an init container a pod is pending while it starts.
    is_alive(pod) && (phase == Some("Running") || proxy_status(pod).is_some_and(is_started))
}

fn is_started(status: &ContainerStatus) -> bool {
    status
        .state
        .as_ref()
        .is_some_and(|state| state.running.is_some())
}

/// How the proxy's container is.
pub(crate) fn proxy_status(pod: &Pod) -> Option<&ContainerStatus> {
    statuses(pod).find(|status| status.name == PROXY)
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = status(pod).into_iter();
    status.flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    })
}

/// One of its conditions: status, and what is said of it.
pub(crate) fn condition<'a>(pod: &'a Pod, name: &str) -> Option<(&'a str, &'a str)> {
    let mut conditions = status(pod)?.conditions.iter().flatten();
    let found = conditions.find(|condition| condition.type_ == name)?;
    Some((&found.status, found.message.as_deref().unwrap_or_default()))
}

/// Why it is not ready, as far as the kubelet says.
pub(crate) fn why_not_ready(pod: &Pod) -> String {
    if let Some(("False", why)) = condition(pod, "PodScheduled") {
        return format!("no node has room: {why}");
    }
    let troubles = statuses(pod).filter_map(trouble);
    let troubles: Vec<_> = troubles.collect();
    match (
        troubles.is_empty(),
        status(pod).and_then(|status| status.phase.clone()),
    ) {
        (false, _) => troubles.join("; "),
        (true, Some(phase)) if phase != "Running" => format!("it is {}", phase.to_lowercase()),
        (true, _) => "it is running, but not ready".to_owned(),
    }
}

/// What keeps a container from running.
fn trouble(status: &ContainerStatus) -> Option<String> {
    let name = &status.name;
    let waiting = status
        .state
        .as_ref()
        .and_then(|state| state.waiting.as_ref());
    if let Some(waiting) = waiting
        && let Some(reason) = waiting.reason.as_deref()
        && reason != "PodInitializing"
    {
        let message = waiting.message.as_deref().unwrap_or_default();
        let colon = if message.is_empty() { "" } else { ": " };
        return Some(format!("container {name} waits, {reason}{colon}{message}"));
    }
    let ended = status.state.as_ref()?.terminated.as_ref();
    let ended = ended.filter(|ended| ended.exit_code != 0)?;
    let message = ended.message.as_deref().unwrap_or_default();
    Some(format!(
        "container {name} ended with status {}: {message}",
        ended.exit_code
    ))
}

/// The value of an annotation.
pub(crate) fn annotation<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    let annotations = metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

/// Who made it: a ReplicaSet, a Job, or nobody.
pub(crate) fn is_of(pod: &Pod, kind: &str) -> bool {
    pod.owner_references()
        .iter()
        .any(|owner| owner.kind == kind)
}
