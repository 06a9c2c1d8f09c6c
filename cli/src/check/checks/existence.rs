//! Whether the control plane is there, and runs.

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, Pod, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};
use super::expected;
use super::pods::{condition, is_alive, named, why_not_ready};
use crate::cluster::is_ready;

pub(super) const CATEGORY: Category = Category {
    name: "existence",
    checks: &[
        Check::new(
            "mesh-namespace",
            "the control plane's namespace exists",
            namespace,
        )
        .fatal(),
        Check::new(
            "mesh-namespace-labels",
            "its labels keep the injector away from it",
            namespace_labels,
        )
        .warns(),
        Check::new("mesh-config", "its configuration is there", config),
        Check::new("mesh-service-accounts", "ServiceAccounts exist", accounts),
        Check::new(
            "mesh-cluster-roles",
            "ClusterRoles exist and allow what is needed",
            cluster_roles,
        ),
        Check::new(
            "mesh-cluster-role-bindings",
            "ClusterRoleBindings exist and bind them",
            cluster_role_bindings,
        ),
        Check::new(
            "mesh-webhook-configuration",
            "the webhook configuration exists",
            webhook_configuration,
        ),
        Check::new(
            "mesh-deployments",
            "Deployments exist and are not scaled to nothing",
            deployments,
        ),
        Check::new(
            "mesh-replica-sets",
            "ReplicaSets can create their pods",
            replica_sets,
        )
        .retried(),
        Check::new(
            "mesh-unschedulable",
            "nodes have room for the pods",
            unschedulable,
        )
        .retried()
        .warns(),
        Check::new("mesh-pods-ready", "pods are ready", pods_ready).retried(),
        Check::new("mesh-services", "Services exist", services),
        Check::new("mesh-endpoints", "Services have ready endpoints", endpoints).retried(),
    ],
};

fn namespace(snapshot: &Snapshot) -> Finding {
    let mesh = &snapshot.scope.mesh;
    match own_namespace(snapshot)? {
        None => Err(Problem::one(format!(
            "there is no namespace {mesh}; is the mesh installed (`mesh install | kubectl apply -f -`), or elsewhere (--mesh-namespace)?"
        ))),
        Some(found) if found.metadata.deletion_timestamp.is_some() => {
            Err(Problem::one(format!("namespace {mesh} is being deleted")))
        }
        Some(_) => Ok(()),
    }
}

fn own_namespace(snapshot: &Snapshot) -> Result<Option<&Namespace>, Problem> {
    let mut namespaces = seen(&snapshot.objects.namespaces)?.iter();
    Ok(namespaces.find(|namespace| namespace.name_any() == snapshot.scope.mesh))
}

fn namespace_labels(snapshot: &Snapshot) -> Finding {
    let found = own_namespace(snapshot)?.map(|namespace| namespace.labels().clone());
    let found = found.unwrap_or_default();
    let expected = expected::objects::<Namespace>(snapshot, "Namespace");
    let labels = expected.iter().flat_map(|namespace| namespace.labels());
    let ours = labels.filter(|(name, _)| {
        matches!(
            name.as_str(),
            "mesh.dev/is-control-plane" | "config.mesh.dev/admission-webhooks"
        )
    });
    let missing = ours.filter(|(name, value)| found.get(*name) != Some(value));
    nothing_wrong(missing.map(|(name, value)| format!("the label {name}={value} is missing")))
}

fn config(snapshot: &Snapshot) -> Finding {
    expected::values(snapshot).map(drop)
}

fn accounts(snapshot: &Snapshot) -> Finding {
    let found = seen(&snapshot.objects.service_accounts)?;
    nothing_wrong(missing::<ServiceAccount>(snapshot, "ServiceAccount", found))
}

fn cluster_roles(snapshot: &Snapshot) -> Finding {
    let found = seen(&snapshot.objects.cluster_roles)?;
    let lines = missing::<ClusterRole>(snapshot, "ClusterRole", found).into_iter();
    let expected = expected::objects::<ClusterRole>(snapshot, "ClusterRole");
    let lacking = expected.iter().filter_map(|role| {
        let name = role.name_any();
        let other = found.iter().find(|other| other.name_any() == name)?;
        lacks(snapshot, &role.rules, &other.rules)
            .map(|rule| format!("ClusterRole {name} lacks {rule}"))
    });
    nothing_wrong(lines.chain(lacking))
}

/// The first rule that is missing. Another version may need others.
fn lacks(
    snapshot: &Snapshot,
    wanted: &Option<Vec<PolicyRule>>,
    found: &Option<Vec<PolicyRule>>,
) -> Option<String> {
    if !is_this_version(snapshot) {
        return None;
    }
    let has = |rule: &&PolicyRule| found.iter().flatten().any(|other| other == *rule);
    let lacking = wanted.iter().flatten().find(|rule| !has(rule))?;
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default().join(",");
    Some(format!(
        "the verbs {} on {}",
        lacking.verbs.join(","),
        list(&lacking.resources)
    ))
}

/// Whether this program knows what was installed.
fn is_this_version(snapshot: &Snapshot) -> bool {
    expected::installed_version(snapshot).as_deref() == Some(env!("CARGO_PKG_VERSION"))
}

fn cluster_role_bindings(snapshot: &Snapshot) -> Finding {
    const KIND: &str = "ClusterRoleBinding";
    let found = seen(&snapshot.objects.cluster_role_bindings)?;
    let lines = missing::<ClusterRoleBinding>(snapshot, KIND, found).into_iter();
    let expected = expected::objects::<ClusterRoleBinding>(snapshot, KIND);
    let wrong = expected.iter().filter_map(|binding| {
        let name = binding.name_any();
        let other = found.iter().find(|other| other.name_any() == name)?;
        let same =
            other.role_ref.name == binding.role_ref.name && other.subjects == binding.subjects;
        (!same).then(|| format!("{KIND} {name} binds another role, or somebody else"))
    });
    nothing_wrong(lines.chain(wrong))
}

fn webhook_configuration(snapshot: &Snapshot) -> Finding {
    let name = expected::WEBHOOK_CONFIGURATION;
    match seen(&snapshot.objects.webhook)? {
        Some(_) => Ok(()),
        None => Err(Problem::one(format!(
            "there is no MutatingWebhookConfiguration {name}: pods get no proxies"
        ))),
    }
}

fn deployments(snapshot: &Snapshot) -> Finding {
    let found = seen(&snapshot.objects.deployments)?;
    let lines = missing::<Deployment>(snapshot, "Deployment", found).into_iter();
    let replicas = |each: &Deployment| each.spec.as_ref().and_then(|spec| spec.replicas);
    let none = found.iter().filter(|each| replicas(each) == Some(0));
    let none = none.map(|each| format!("Deployment {} is scaled to 0 replicas", each.name_any()));
    nothing_wrong(lines.chain(none))
}

fn replica_sets(snapshot: &Snapshot) -> Finding {
    let all = seen(&snapshot.objects.replica_sets)?.iter();
    let own = all.filter(|set| set.metadata.namespace.as_ref() == Some(&snapshot.scope.mesh));
    nothing_wrong(own.filter_map(|set| {
        let why = creation_failure(set)?;
        Some(format!("ReplicaSet {}: {why}", set.name_any()))
    }))
}

/// Why a ReplicaSet has fewer pods than it should.
pub(super) fn creation_failure(set: &ReplicaSet) -> Option<&str> {
    let conditions = set.status.as_ref()?.conditions.as_ref()?;
    let mut failures = conditions.iter();
    let failure = failures.find(|each| each.type_ == "ReplicaFailure" && each.status == "True")?;
    Some(failure.message.as_deref().unwrap_or("no reason given"))
}

/// Pods of the control plane, but for those that have ended or are about to.
pub(super) fn own_pods(snapshot: &Snapshot) -> Result<Vec<&Pod>, Problem> {
    let all = seen(&snapshot.objects.pods)?.iter();
    let own = all.filter(|pod| pod.metadata.namespace.as_ref() == Some(&snapshot.scope.mesh));
    let own = own.filter(|pod| expected::component(pod).is_some());
    Ok(own.filter(|pod| is_alive(pod)).collect())
}

fn unschedulable(snapshot: &Snapshot) -> Finding {
    let pods = own_pods(snapshot)?.into_iter();
    nothing_wrong(pods.filter_map(|pod| match condition(pod, "PodScheduled") {
        Some(("False", why)) => Some(format!("{}: {why}", named(pod))),
        _ => None,
    }))
}

fn pods_ready(snapshot: &Snapshot) -> Finding {
    let pods = own_pods(snapshot)?;
    let components: BTreeSet<_> = pods
        .iter()
        .filter_map(|pod| expected::component(pod))
        .collect();
    let absent = expected::COMPONENTS
        .iter()
        .filter(|name| !components.contains(*name));
    let absent = absent.map(|name| format!("there is no pod of mesh-{name}"));
    let waiting = pods.iter().filter(|pod| !is_ready(pod));
    let waiting = waiting.map(|pod| format!("{}: {}", named(pod), why_not_ready(pod)));
    nothing_wrong(absent.chain(waiting))
}

fn services(snapshot: &Snapshot) -> Finding {
    let all = seen(&snapshot.objects.services)?.iter();
    let own =
        all.filter(|service| service.metadata.namespace.as_ref() == Some(&snapshot.scope.mesh));
    let own: Vec<_> = own.cloned().collect();
    nothing_wrong(missing::<Service>(snapshot, "Service", &own))
}

fn endpoints(snapshot: &Snapshot) -> Finding {
    let slices = seen(&snapshot.objects.slices)?;
    let expected = expected::objects::<Service>(snapshot, "Service");
    let names = expected.iter().map(|service| service.name_any());
    let without = names.filter(|name| !slices.iter().any(|slice| is_ready_endpoint(slice, name)));
    nothing_wrong(without.map(|name| format!("Service {name} has no ready endpoint")))
}

/// Whether a slice has an address of this Service that takes requests.
fn is_ready_endpoint(slice: &EndpointSlice, service: &str) -> bool {
    let of_service = slice.labels().get("kubernetes.io/service-name");
    let mut endpoints = slice.endpoints.iter();
    of_service.is_some_and(|name| name == service)
        && endpoints.any(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            // Unknown counts as ready, says the API.
            conditions.and_then(|conditions| conditions.ready) != Some(false)
        })
}

/// Objects of an install that are not among `found`.
pub(super) fn missing<K>(snapshot: &Snapshot, kind: &str, found: &[K]) -> Vec<String>
where
    K: Resource + DeserializeOwned + Debug,
{
    let expected = expected::objects::<K>(snapshot, kind);
    let names = expected.iter().map(|object| object.name_any());
    let absent = names.filter(|name| found.iter().all(|other| other.name_any() != *name));
    absent
        .map(|name| format!("there is no {kind} {name}"))
        .collect()
}

#[cfg(test)]
pub(super) mod tests;
