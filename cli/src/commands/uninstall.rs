//! `mesh uninstall`.

use super::{output::print, runtime};
use crate::{
    cluster::{Cluster, ClusterArgs, ClusterError, PodName},
    install::{
        cluster::{self, Reference},
        output::{self, Format},
    },
};

/// Print everything that the mesh has made in the cluster, for kubectl to delete
///
/// Refused while pods have proxies: without a control plane these get no new certificates, and a day later talk to nobody.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh uninstall | kubectl delete -f -

Before, take the proxies out, for each meshed namespace:
  kubectl annotate namespace shop mesh.dev/inject-
  kubectl rollout restart -n shop deployment")]
pub(crate) struct Args {
    /// Even while pods have proxies
    #[arg(long)]
    force: bool,
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why nothing is printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UninstallError {
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(
        "{} pods have a proxy of this mesh:\n{}\nTake the proxies out first (remove or change the annotation mesh.dev/inject, and restart what owns the pods), or say --force",
        .0.len(), listed(.0)
    )]
    Meshed(Vec<PodName>),
    #[error(
        "nothing to uninstall: the cluster has no object of a mesh in namespace {0}; --mesh-namespace names another"
    )]
    Nothing(String),
}

/// More than anyone reads.
const LISTED: usize = 50;

fn listed(pods: &[PodName]) -> String {
    let mut lines: Vec<_> = pods
        .iter()
        .take(LISTED)
        .map(|pod| format!("  {pod}"))
        .collect();
    if pods.len() > LISTED {
        lines.push(format!("  and {} more", pods.len() - LISTED));
    }
    lines.join("\n")
}

pub(super) fn run(args: &Args) -> Result<(), UninstallError> {
    let runtime = runtime().map_err(UninstallError::Runtime)?;
    let (found, release) = runtime.block_on(async {
        let cluster = args.cluster.connect().await?;
        let installed = cluster::installed(&cluster).await?;
        let found = found(&cluster, args.force).await?;
        Ok::<_, UninstallError>((found, installed.and_then(|installed| installed.release)))
    })?;
    if let Some((name, namespace)) = release {
        eprintln!(
            "mesh: warning: Helm has installed this mesh; `helm uninstall {name} --namespace {namespace}` makes it forget that, and `mesh uninstall --force` then prints what is left"
        );
    }
    let found: Vec<_> = found.iter().map(Reference::json).collect();
    print(&output::text(&found, args.output));
    Ok(())
}

/// The control plane, and last what its injector would make anew while it runs.
async fn found(cluster: &Cluster, force: bool) -> Result<Vec<Reference>, UninstallError> {
    if !force {
        let mut pods = cluster.meshed_pods(None, "").await?;
        pods.retain(|pod| {
            let phase = pod
                .status
                .as_ref()
                .and_then(|status| status.phase.as_deref());
            !matches!(phase, Some("Succeeded" | "Failed"))
        });
        if !pods.is_empty() {
            return Err(UninstallError::Meshed(
                pods.iter().map(PodName::of).collect(),
            ));
        }
    }
    let mut found = cluster::objects(cluster).await?;
    found.extend(cluster::bundles(cluster).await?);
    match found.is_empty() {
        true => Err(UninstallError::Nothing(cluster.namespace.clone())),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests;
