//! `mesh check`, the binary that users have: on a mesh that is well, and on one with something broken, for each of many breaks.

use mesh_integration::kubernetes::{Cluster, Output, Scenario, Space, exclusive};
use serde_json::Value;

use crate::meshed::{shop, shop_in};

mod breaks;
mod certificates;

use breaks::{BREAKS, Break, PRELUDE, WITHOUT_INJECTOR};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        exclusive("check::a_healthy_mesh_passes", a_healthy_mesh_passes),
        exclusive("check::each_break_is_named", each_break_is_named),
        exclusive(
            "check::what_needs_the_injector_is_named",
            what_needs_the_injector_is_named,
        ),
    ]
}

/// After the mesh is uninstalled.
pub(crate) fn scenarios_without_mesh() -> Vec<Scenario> {
    vec![exclusive(
        "check::an_install_may_begin",
        an_install_may_begin,
    )]
}

/// Attempts, a second apart: controllers take their time to see what was broken.
const ATTEMPTS: usize = 30;

async fn a_healthy_mesh_passes(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "well").await;
    // Proxies of other scenarios may be on their way out.
    let table = space
        .sh("mesh check --wait 60s && mesh check --proxy --namespace $SPACE --wait 60s")
        .await;
    eprintln!("{table}");
    assert!(table.success, "{table}");
    assert!(
        !table.stdout.contains('×') && !table.stdout.contains('‼'),
        "{table}"
    );

    let json = space
        .sh("mesh check --proxy --namespace $SPACE --output json")
        .await
        .ok();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["success"], true);
    let short = space.sh("mesh check --output short").await.ok();
    assert!(short.starts_with("Status check results are √"), "{short}");
}

/// Those that leave the control plane running.
async fn each_break_is_named(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "broken").await;
    name_all(&space, BREAKS).await;
    mesh.rolled_out().await;
}

/// Those that the injector would repair, or that are about its pods. It is away meanwhile.
async fn what_needs_the_injector_is_named(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = cluster.space("unmeshed").await;
    shop_in(&space).await;
    name_all(&space, WITHOUT_INJECTOR).await;
    space
        .sh("kubectl annotate namespace $SPACE mesh.dev/inject-")
        .await;
    mesh.rolled_out().await;
}

/// Breaks one thing after the other; all that were not named are told together.
async fn name_all(space: &Space, breaks: &[Break]) {
    let dir = tempfile::tempdir().unwrap();
    certificates::write(dir.path());
    let prelude = format!("cd {}\n{PRELUDE}", dir.path().display());
    let mut unnamed = Vec::new();
    for each in breaks {
        let broken = space.sh(&format!("{prelude}\n{}", each.make)).await;
        let named = match broken.success {
            true => named(space, &prelude, each).await,
            false => Err(format!("it can't be broken: {broken}")),
        };
        let mended = space.sh(&format!("{prelude}\n{}", each.undo)).await;
        eprintln!(
            "{}: {}",
            each.checks.join(", "),
            if named.is_ok() { "named" } else { "NOT named" }
        );
        unnamed.extend(named.err());
        if !mended.success {
            unnamed.push(format!("it can't be mended: {mended}"));
        }
    }
    assert!(
        unnamed.is_empty(),
        "{} of {}:\n{}",
        unnamed.len(),
        breaks.len(),
        unnamed.join("\n")
    );
}

/// Runs the binary until it names all checks of a break.
async fn named(space: &Space, prelude: &str, broken: &Break) -> Result<(), String> {
    let line = format!(
        "{prelude}\nmesh check --wait 0s --output json {}",
        broken.flags
    );
    let mut missing = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        let said = space.sh(&line).await;
        let problems = problems(&said);
        let lacks = broken
            .checks
            .iter()
            .filter(|id| !problems.contains(&(**id).to_owned()));
        let lacks: Vec<_> = lacks.copied().collect();
        if lacks.is_empty() {
            return Ok(());
        }
        missing = format!(
            "{}: it names {problems:?}, but not {lacks:?}: {}",
            broken.make, said.stderr
        );
    }
    Err(missing)
}

/// Ids of the checks that did not pass, from their hints. The exit status tells of failures.
fn problems(said: &Output) -> Vec<String> {
    let json: Value =
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let categories = json["categories"].as_array().unwrap();
    let checks = categories
        .iter()
        .flat_map(|category| category["checks"].as_array().unwrap());
    let (mut ids, mut failed) = (Vec::new(), false);
    for check in checks.filter(|check| check["hint"].is_string()) {
        let (_, id) = check["hint"].as_str().unwrap().split_once('#').unwrap();
        ids.push(id.to_owned());
        failed |= check["result"] == "error";
    }
    assert_eq!(said.success, !failed, "{said}");
    assert_eq!(json["success"], !failed, "{said}");
    ids
}

async fn an_install_may_begin(cluster: Cluster) {
    let said = cluster.sh("mesh check --pre").await;
    assert!(said.success && !said.stdout.contains('‼'), "{said}");
    let refused = cluster
        .sh("mesh check --pre --as nobody --wait 0s --output json")
        .await;
    let problems = problems(&refused);
    for id in ["k8s-access", "pre-create-cluster", "pre-create"] {
        assert!(problems.contains(&id.to_owned()), "{refused}");
    }
    let absent = cluster.sh("mesh check --wait 0s").await;
    assert!(
        !absent.success && absent.stdout.contains("there is no namespace mesh"),
        "{absent}"
    );
}
