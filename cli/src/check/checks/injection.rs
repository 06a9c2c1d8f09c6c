//! What asks for proxies, and what keeps it from getting them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use mesh_controller::injector::{
    self, Annotations, CONFIG_PREFIX, Decision, INIT, INJECT, Skip, patch,
};

use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};
use super::data_plane::asks;
use super::existence::creation_failure;
use super::expected;
use super::pods::{annotation, is_alive, is_of, named, namespace_of};

mod mistakes;
mod opaque;

/// Namespaces that the webhook is not asked about.
const LEFT_OUT: [&str; 2] = ["kube-system", "cert-manager"];
/// The webhook's name, in what the API server says.
const WEBHOOK: &str = "injector.mesh.dev";
/// Standards that forbid NET_ADMIN.
const FORBIDDING: [&str; 2] = ["baseline", "restricted"];

pub(super) const CATEGORY: Category = Category {
    name: "injection",
    checks: &[
        Check::new(
            "injection-missing",
            "pods that should have a proxy have one",
            missing,
        )
        .warns(),
        Check::new(
            "injection-refused",
            "no pods are refused because of the mesh",
            refused,
        )
        .retried(),
        Check::new(
            "injection-pod-security",
            "namespaces let the init container run",
            pod_security,
        )
        .warns(),
        Check::new(
            "injection-pod-labels",
            "no annotation is given as a label of a pod",
            pod_labels,
        )
        .warns(),
        Check::new(
            "injection-service-labels",
            "no annotation is given as a label of a Service",
            service_labels,
        )
        .warns(),
        Check::new(
            "injection-service-annotations",
            "Services have no annotations that are for pods",
            service_annotations,
        )
        .warns(),
        Check::new(
            "injection-annotations",
            "annotations have values that make sense",
            mistakes::none,
        )
        .warns(),
        Check::new(
            "opaque-ports",
            "pods and Services agree on opaque ports",
            opaque::agree,
        )
        .warns(),
    ],
};

/// What the injector goes by.
fn config(snapshot: &Snapshot) -> injector::Config {
    let values = expected::values(snapshot).unwrap_or_default();
    injector::Config {
        install: values.all_proxy_defaults(&snapshot.scope.version),
        namespace: snapshot.scope.mesh.clone(),
        ..injector::Config::default()
    }
}

/// Namespaces that the webhook is asked about and the run is about.
fn namespaces(snapshot: &Snapshot) -> Result<BTreeMap<&str, &Namespace>, Problem> {
    let all = seen(&snapshot.objects.namespaces)?.iter();
    let named = all.filter_map(|namespace| Some((namespace.metadata.name.as_deref()?, namespace)));
    let asked = named.filter(|(name, namespace)| {
        let switch = namespace.labels().get("config.mesh.dev/admission-webhooks");
        !LEFT_OUT.contains(name) && switch.is_none_or(|value| value != "disabled")
    });
    Ok(asked
        .filter(|(name, _)| snapshot.scope.covers(name))
        .collect())
}

/// Pods in them that are not about to go.
fn pods<'a>(
    snapshot: &'a Snapshot,
    namespaces: &BTreeMap<&str, &'a Namespace>,
) -> Result<Vec<(&'a Pod, &'a Namespace)>, Problem> {
    let alive = seen(&snapshot.objects.pods)?
        .iter()
        .filter(|pod| is_alive(pod));
    let in_them = alive.filter_map(|pod| {
        let namespace = namespaces.get(namespace_of(&pod.metadata))?;
        Some((pod, *namespace))
    });
    Ok(in_them.collect())
}

/// A namespace, as the injector has it.
fn for_injector(namespace: &Namespace) -> injector::Namespace {
    injector::Namespace {
        name: namespace.metadata.name.clone(),
        annotations: namespace.metadata.annotations.clone().unwrap_or_default(),
    }
}

/// By what the injector would do with each pod if it came again.
fn missing(snapshot: &Snapshot) -> Finding {
    let namespaces = namespaces(snapshot)?;
    let config = config(snapshot);
    let pods = pods(snapshot, &namespaces)?.into_iter();
    // Static pods come from a kubelet's files, past the injector.
    let pods = pods.filter(|(pod, _)| expected::component(pod).is_none() && !is_of(pod, "Node"));
    nothing_wrong(pods.filter_map(|(pod, namespace)| {
        let object = serde_json::to_value(pod).expect("the API's types are JSON");
        let why = match patch(&object, None, &for_injector(namespace), &config) {
            Decision::Inject { .. } => {
                "it was created before it was asked for, or while no injector answered; roll its workload".to_owned()
            }
            Decision::Skip(skip @ (Skip::HostNetwork | Skip::InvalidOnWorkload(_) | Skip::InvalidOnNamespace(_))) => {
                skip.to_string()
            }
            Decision::Refuse(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            Decision::Skip(_) => return None,
        };
        Some(format!("{} has no proxy: {why}", named(pod)))
    }))
}

fn refused(snapshot: &Snapshot) -> Finding {
    let sets = seen(&snapshot.objects.replica_sets)?.iter();
    let covered = sets.filter(|set| snapshot.scope.covers(namespace_of(&set.metadata)));
    nothing_wrong(covered.filter_map(|set| {
        let why = creation_failure(set)?;
        let ours = why.contains(WEBHOOK) || why.contains(INIT);
        let name = format!("{}/{}", namespace_of(&set.metadata), set.name_any());
        ours.then(|| format!("ReplicaSet {name}: {why}"))
    }))
}

fn pod_security(snapshot: &Snapshot) -> Finding {
    let namespaces = namespaces(snapshot)?.into_iter();
    let asking = namespaces.filter(|(_, namespace)| asks(namespace));
    nothing_wrong(asking.filter_map(|(name, namespace)| {
        let level = namespace.labels().get("pod-security.kubernetes.io/enforce")?;
        FORBIDDING.contains(&level.as_str()).then(|| {
            format!("namespace {name} enforces {level}, which refuses {INIT}: it needs NET_ADMIN to redirect connections")
        })
    }))
}

/// Labels that only mean something as annotations.
fn misplaced(metadata: &ObjectMeta) -> Vec<&str> {
    let labels = metadata.labels.iter().flatten();
    let ours = labels.filter(|(name, _)| *name == INJECT || name.starts_with(CONFIG_PREFIX));
    ours.map(|(name, _)| name.as_str()).collect()
}

fn with_misplaced(what: String, metadata: &ObjectMeta) -> Option<String> {
    let labels = misplaced(metadata);
    (!labels.is_empty()).then(|| {
        let list = labels.join(", ");
        format!("{what}: {list} is a label, which does nothing; make it an annotation")
    })
}

fn pod_labels(snapshot: &Snapshot) -> Finding {
    let namespaces = namespaces(snapshot)?;
    let pods = pods(snapshot, &namespaces)?.into_iter();
    nothing_wrong(pods.filter_map(|(pod, _)| with_misplaced(named(pod), &pod.metadata)))
}

/// Services in namespaces that the run is about, by name.
fn services(
    snapshot: &Snapshot,
) -> Result<Vec<(String, &k8s_openapi::api::core::v1::Service)>, Problem> {
    let all = seen(&snapshot.objects.services)?.iter();
    let covered = all.filter(|service| snapshot.scope.covers(namespace_of(&service.metadata)));
    let named = covered.map(|service| {
        let namespace = namespace_of(&service.metadata);
        (
            format!("Service {namespace}/{}", service.name_any()),
            service,
        )
    });
    Ok(named.collect())
}

fn service_labels(snapshot: &Snapshot) -> Finding {
    let services = services(snapshot)?.into_iter();
    nothing_wrong(services.filter_map(|(name, service)| with_misplaced(name, &service.metadata)))
}

fn service_annotations(snapshot: &Snapshot) -> Finding {
    let services = services(snapshot)?.into_iter();
    nothing_wrong(services.filter_map(|(name, service)| {
        let none = Annotations::new();
        let all = service
            .metadata
            .annotations
            .as_ref()
            .unwrap_or(&none)
            .keys();
        let ours = all.filter(|key| *key == INJECT || key.starts_with(CONFIG_PREFIX));
        // The one that Services have in common with pods.
        let opaque = format!("{CONFIG_PREFIX}opaque-ports");
        let others: Vec<_> = ours.filter(|key| **key != opaque).cloned().collect();
        (!others.is_empty())
            .then(|| format!("{name}: {} does nothing on a Service", others.join(", ")))
    }))
}

/// Whether an object says something about opaque ports itself.
fn opaque_ports(metadata: &ObjectMeta) -> Option<&str> {
    annotation(metadata, "config.mesh.dev/opaque-ports")
}

#[cfg(test)]
pub(super) mod tests;
