//! Whether all parts are of one version.

use std::collections::BTreeSet;

use kube::ResourceExt as _;

use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong};
use super::existence::own_pods;
use super::pods::named;

/// On pods of the control plane.
const VERSION: &str = "app.kubernetes.io/version";

pub(super) const CATEGORY: Category = Category {
    name: "version",
    checks: &[
        Check::new(
            "version-control-plane",
            "all parts of the control plane have one version",
            control_plane,
        )
        .retried(),
        Check::new(
            "version-expected",
            "it is this program's, or the expected one",
            expected,
        )
        .warns(),
    ],
};

/// The version of each pod of the control plane.
fn versions(snapshot: &Snapshot) -> Result<Vec<(String, String)>, Problem> {
    let pods = own_pods(snapshot)?;
    let all = pods.iter().map(|pod| {
        let label = pod.labels().get(VERSION).cloned();
        (named(pod), label.unwrap_or_else(|| "unknown".to_owned()))
    });
    let all: Vec<_> = all.collect();
    match all.is_empty() {
        true => Err(Problem::skipped("it has no pods, see mesh-pods-ready")),
        false => Ok(all),
    }
}

fn control_plane(snapshot: &Snapshot) -> Finding {
    let versions = versions(snapshot)?;
    let distinct: BTreeSet<_> = versions.iter().map(|(_, version)| version).collect();
    match distinct.len() {
        1 => Ok(()),
        _ => nothing_wrong(
            versions
                .iter()
                .map(|(pod, version)| format!("{pod}: {version}")),
        ),
    }
}

fn expected(snapshot: &Snapshot) -> Finding {
    let wanted = &snapshot.scope.version;
    let others = versions(snapshot)?.into_iter();
    let others = others.filter(|(_, version)| version != wanted);
    nothing_wrong(others.map(|(pod, version)| format!("{pod}: it is {version}, not {wanted}")))
}

#[cfg(test)]
pub(super) mod tests;
