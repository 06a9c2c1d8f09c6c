//! `mesh version`: which versions work together here.
//!
//! The control plane's come from its pods, not from an answer of its processes: that works while they are down, and when one of three
//! replicas is still the old one. A pod says its version in the label `app.kubernetes.io/version`, else in its image's tag.

use thiserror::Error;

use super::{output, runtime};
use crate::cluster::{ClusterArgs, ClusterError};

mod gather;
mod report;
#[cfg(test)]
mod tests;

use report::Report;

/// Of this binary.
pub(crate) const CLIENT: &str = env!("CARGO_PKG_VERSION");

/// Show the versions of this program, the control plane and the proxies
///
/// Versions that do not go together are named, with what to do. Status 1 when the cluster can't be asked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh version
  mesh version --client --short
  mesh version --proxy -n shop
  mesh version --proxy -o json")]
pub(crate) struct Args {
    /// Only this program's, without asking a cluster
    #[arg(long, conflicts_with_all = ["proxy", "namespace"])]
    client: bool,
    /// Only the numbers, one a line: this program's, then the control plane's
    #[arg(long, conflicts_with = "output")]
    short: bool,
    /// The proxies' too
    #[arg(long)]
    proxy: bool,
    /// Only the proxies of this namespace
    #[arg(short, long, value_name = "NAME", requires = "proxy")]
    namespace: Option<String>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: output::Format,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why versions are missing.
#[derive(Debug, Error)]
pub(crate) enum VersionError {
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    #[error(
        "the client is {CLIENT}; the control plane's version is unknown: {0}. Without a cluster: mesh version --client"
    )]
    Cluster(#[from] ClusterError),
}

pub(super) fn run(args: &Args) -> Result<(), VersionError> {
    let report = match args.client {
        true => Report::of_client(),
        false => runtime()
            .map_err(VersionError::Runtime)?
            .block_on(gather::gather(args))?,
    };
    let text = match args.short {
        true => report.short(),
        false => args.output.print(&report, Report::text),
    };
    output::print(&text);
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(())
}
