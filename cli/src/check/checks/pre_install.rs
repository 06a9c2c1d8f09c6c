//! Whether a cluster can take an install.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::super::snapshot::Right;
use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};
use super::expected;
use super::pods::owner_namespace;

/// Kubelets renew their leases every 10 s, so one that is older tells of a clock, or of a
/// node that is gone.
const RENEWED: SignedDuration = SignedDuration::from_secs(10);
/// What certificates allow for (`--clock-skew-seconds` of mesh-identity, 20 s), less the
/// time that reading takes.
const ALLOWED: SignedDuration = SignedDuration::from_secs(15);
/// Older than the time after which Kubernetes itself takes a node for gone.
const GONE: SignedDuration = SignedDuration::from_mins(5);

pub(super) const CATEGORY: Category = Category {
    name: "pre-install",
    checks: &[
        Check::new(
            "pre-namespace",
            "the control plane's namespace is not there yet",
            namespace,
        ),
        Check::new(
            "pre-leftovers",
            "no other control plane is in the way",
            leftovers,
        ),
        Check::new(
            "pre-create-cluster",
            "objects of the whole cluster may be created",
            create_cluster_wide,
        ),
        Check::new(
            "pre-create",
            "objects in the control plane's namespace may be created",
            create_in_namespace,
        ),
        Check::new(
            "pre-clock",
            "clocks of nodes and of this machine agree",
            clocks,
        )
        .warns(),
    ],
};

fn namespace(snapshot: &Snapshot) -> Finding {
    let mesh = &snapshot.scope.mesh;
    let found = seen(&snapshot.objects.namespaces)?.iter();
    match found.map(|each| each.name_any()).find(|name| name == mesh) {
        Some(name) => Err(Problem::one(format!("namespace {name} exists"))),
        None => Ok(()),
    }
}

/// What an install elsewhere, or an uninstall by halves, has left.
fn leftovers(snapshot: &Snapshot) -> Finding {
    let webhook = seen(&snapshot.objects.webhook)?.as_ref();
    let webhook = webhook.map(|webhook| {
        let owner = owner_namespace(&webhook.metadata).unwrap_or("unknown");
        format!(
            "MutatingWebhookConfiguration {} is of a control plane in namespace {owner}",
            expected::WEBHOOK_CONFIGURATION
        )
    });
    let roles = seen(&snapshot.objects.cluster_roles)?.iter();
    let roles = roles.map(|role| format!("ClusterRole {} exists", role.name_any()));
    nothing_wrong(webhook.into_iter().chain(roles))
}

fn create_cluster_wide(snapshot: &Snapshot) -> Finding {
    may_create(snapshot, |right| right.namespace.is_none())
}

fn create_in_namespace(snapshot: &Snapshot) -> Finding {
    may_create(snapshot, |right| right.namespace.is_some())
}

fn may_create(snapshot: &Snapshot, which: fn(&Right) -> bool) -> Finding {
    let rights = seen(&snapshot.rights)?.iter();
    let denied = rights.filter(|right| which(right) && !right.allowed);
    nothing_wrong(denied.map(|right| match &right.namespace {
        Some(namespace) => format!("may not create {} in {namespace}", right.resource),
        None => format!("may not create {}", right.resource),
    }))
}

fn clocks(snapshot: &Snapshot) -> Finding {
    let leases = seen(&snapshot.objects.leases)?;
    if leases.is_empty() {
        return Err(Problem::skipped("nodes have no leases"));
    }
    nothing_wrong(leases.iter().filter_map(|lease| skew(lease, snapshot.now)))
}

/// What is wrong with the clock that a lease was written by.
fn skew(lease: &Lease, now: Timestamp) -> Option<String> {
    let renewed = lease.spec.as_ref()?.renew_time.as_ref()?.0;
    let age = now.duration_since(renewed);
    let node = lease.name_any();
    if age < -ALLOWED {
        let seconds = (-age).as_secs();
        return Some(format!("the clock of node {node} is {seconds} s ahead"));
    }
    let behind = age > RENEWED + ALLOWED && age < GONE;
    behind.then(|| {
        let seconds = age.as_secs();
        format!("the clock of node {node} is up to {seconds} s behind, or its kubelet hangs")
    })
}

#[cfg(test)]
pub(super) mod tests;
