//! Whether the control plane outlives the loss of a node, where it was installed to.

use std::collections::BTreeSet;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};
use super::existence::{missing, own_pods};
use super::expected;
use crate::cluster::is_ready;

pub(super) const CATEGORY: Category = Category {
    name: "high-availability",
    checks: &[
        Check::new("ha-replicas", "each part has two ready replicas", replicas)
            .retried()
            .warns(),
        Check::new("ha-nodes", "they are on different nodes", nodes).warns(),
        Check::new("ha-disruption", "PodDisruptionBudgets exist", budgets).warns(),
    ],
};

/// Only where more than one replica was asked for.
fn asked_for(snapshot: &Snapshot) -> Finding {
    match expected::values_or_skip(snapshot)?.replicas() {
        0 | 1 => Err(Problem::skipped("installed with one replica")),
        _ => Ok(()),
    }
}

/// The nodes of each component's ready pods.
fn places(snapshot: &Snapshot) -> Result<Vec<(&'static str, Vec<&str>)>, Problem> {
    let pods = own_pods(snapshot)?;
    let of = |name: &'static str| {
        let of_component = pods
            .iter()
            .filter(|pod| expected::component(pod) == Some(name));
        let ready = of_component.filter(|pod| is_ready(pod));
        let nodes = ready.filter_map(|pod| pod.spec.as_ref()?.node_name.as_deref());
        (name, nodes.collect())
    };
    Ok(expected::COMPONENTS.map(of).to_vec())
}

fn replicas(snapshot: &Snapshot) -> Finding {
    asked_for(snapshot)?;
    let few = places(snapshot)?
        .into_iter()
        .filter(|(_, nodes)| nodes.len() < 2);
    nothing_wrong(few.map(|(name, nodes)| format!("mesh-{name} has {} ready", nodes.len())))
}

fn nodes(snapshot: &Snapshot) -> Finding {
    asked_for(snapshot)?;
    if seen(&snapshot.objects.nodes)?.len() < 2 {
        return Err(Problem::skipped("the cluster has one node"));
    }
    let together = places(snapshot)?.into_iter().filter(|(_, nodes)| {
        let distinct: BTreeSet<_> = nodes.iter().collect();
        nodes.len() > 1 && distinct.len() < 2
    });
    nothing_wrong(together.map(|(name, nodes)| {
        format!(
            "all {} pods of mesh-{name} are on node {}",
            nodes.len(),
            nodes[0]
        )
    }))
}

fn budgets(snapshot: &Snapshot) -> Finding {
    asked_for(snapshot)?;
    let found = seen(&snapshot.objects.budgets)?;
    nothing_wrong(missing::<PodDisruptionBudget>(
        snapshot,
        "PodDisruptionBudget",
        found,
    ))
}

#[cfg(test)]
pub(super) mod tests;
