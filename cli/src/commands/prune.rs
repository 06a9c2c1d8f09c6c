//! `mesh prune`.

use super::{
    install::Flags,
    output::print,
    runtime,
    upgrade::{Upgrade, UpgradeError},
};
use crate::{
    cluster::{Cluster, ClusterArgs},
    install::{
        cluster::{self, Reference},
        output::{self, Format},
    },
};
use std::time::SystemTime;

/// Print what the control plane no longer has, for kubectl to delete
///
/// Run it after `mesh upgrade`: what an older version, or other values, had made stays in the cluster until it is deleted. An object counts as ours
/// by its labels.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh upgrade --ha=false | kubectl apply -f -
  mesh prune | kubectl delete -f -                        the PodDisruptionBudgets")]
pub(crate) struct Args {
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(super) fn run(args: &Args) -> Result<(), UpgradeError> {
    let runtime = runtime().map_err(UpgradeError::Runtime)?;
    let left = runtime.block_on(async {
        let cluster = args.cluster.connect().await?;
        left(&cluster, SystemTime::now()).await
    })?;
    if left.is_empty() {
        eprintln!("mesh: nothing is left over");
        return Ok(());
    }
    let left: Vec<_> = left.iter().map(Reference::json).collect();
    print(&output::text(&left, args.output));
    Ok(())
}

/// What the cluster has of ours and an upgrade would not print.
async fn left(cluster: &Cluster, now: SystemTime) -> Result<Vec<Reference>, UpgradeError> {
    let upgrade = Upgrade::from(cluster, &Flags::default(), now).await?;
    let wanted: Vec<_> = upgrade.objects().iter().map(Reference::of).collect();
    let mut found = cluster::objects(cluster).await?;
    found.retain(|object| !wanted.contains(object) && !object.is_issuer());
    Ok(found)
}

#[cfg(test)]
mod tests;
