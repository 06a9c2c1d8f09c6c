//! `mesh diagnostics`: what the control plane tells proxies, and what proxies count.

use clap::Subcommand;
use thiserror::Error;

use super::runtime;
use crate::cluster::ClusterError;

mod controller;
mod endpoints;
mod metrics;
mod policy;
mod profile;
mod view;

/// Ask the control plane and the proxies what they know
///
/// `endpoints`, `policy` and `profile` ask the controller what a proxy would ask it. It is reached by a port-forward to one of its
/// pods (the right to create pods/portforward in the mesh's namespace), or with --controller on this machine, as in `mesh demo --keep`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Endpoints(endpoints::Args),
    Policy(policy::Args),
    Profile(profile::Args),
    ProxyMetrics(metrics::ProxyArgs),
    ControllerMetrics(metrics::ControllerArgs),
}

/// Why there is no answer, or not all of it.
#[derive(Debug, Error)]
pub(crate) enum DiagnosticsError {
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("no connection to the controller at {at}: {cause}")]
    Connect { at: String, cause: String },
    #[error("{question}: {cause}")]
    Refused { question: String, cause: String },
    #[error("{question}: the controller at {at} said nothing for {} s; `mesh check` tells how it is", controller::PATIENCE.as_secs())]
    Silent { question: String, at: String },
    #[error("{resource} has no pods in namespace {namespace}")]
    NoPods { resource: String, namespace: String },
    #[error(
        "with --controller there is no cluster to find the pods of {0} in; name a pod, as pod/NAME"
    )]
    NeedsCluster(String),
    /// Each was told already.
    #[error("{failed} of {all} gave no answer")]
    Some { failed: usize, all: usize },
}

pub(super) fn run(command: &Command) -> Result<(), DiagnosticsError> {
    let runtime = runtime().map_err(DiagnosticsError::Runtime)?;
    runtime.block_on(async {
        match command {
            Command::Endpoints(args) => endpoints::run(args).await,
            Command::Policy(args) => policy::run(args).await,
            Command::Profile(args) => profile::run(args).await,
            Command::ProxyMetrics(args) => metrics::proxies(args).await,
            Command::ControllerMetrics(args) => metrics::control_plane(args).await,
        }
    })
}
