//! `mesh check`.

use std::io;
use std::time::Duration;

use thiserror::Error;

use super::runtime;
use crate::check::{self, Format, Options, Plan, Scope};
use crate::cluster::ClusterArgs;

/// Find out whether the mesh in a cluster is well, or what is wrong with it
///
/// Looks at the control plane, with --proxy at the proxies too, or with --pre at a cluster that is to get a mesh. Each problem names the
/// objects that have it and a section of the guide that tells how to repair it. A check that may still come right, as when pods are
/// starting, is looked at again for --wait.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh check --pre                     before `mesh install`
  mesh check                           the control plane, waiting up to 5 minutes for it to start
  mesh check --proxy -n shop           and the proxies in namespace shop
  mesh check --wait 0s -o short        now, and only what is wrong
  mesh check -o json | jq '.categories[].checks[] | select(.result == \"error\")'
  mesh check --explain webhook-ca-bundle

Exit status: 0 when no check has failed (warnings may be there), 1 when one has, 2 wrong usage.")]
pub(crate) struct Args {
    /// Check a cluster that has no control plane yet
    #[arg(long, conflicts_with_all = ["proxy", "expected_version"])]
    pre: bool,
    /// Check the proxies too
    #[arg(long)]
    proxy: bool,
    /// Check proxies of this namespace alone
    #[arg(short, long, value_name = "NAME", requires = "proxy")]
    namespace: Option<String>,
    /// Output: every check, an object for programs, or problems only
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "table"
    )]
    output: Format,
    /// How long to wait for what may still come right, all checks together
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// Version that the control plane should have, if not that of this program
    #[arg(long, value_name = "VERSION")]
    expected_version: Option<String>,
    /// Print what the guide says about a check, and do nothing else
    #[arg(long, value_name = "ID", conflicts_with_all = ["pre", "proxy"])]
    explain: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why there is no result.
#[derive(Debug, Error)]
pub(crate) enum CheckError {
    #[error(
        "there is no check {0}; `mesh check -o json` names them in its hints, and docs/checks lists them"
    )]
    NoSuchCheck(String),
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error("cannot print the result: {0}")]
    Print(io::Error),
}

impl Args {
    fn options(&self) -> Options {
        let version = self.expected_version.clone();
        Options {
            plan: match (self.pre, self.proxy) {
                (true, _) => Plan::Pre,
                (false, true) => Plan::Proxies,
                (false, false) => Plan::ControlPlane,
            },
            scope: Scope {
                mesh: self.cluster.mesh_namespace.clone(),
                namespace: self.namespace.clone(),
                version: version.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
            },
            wait: self.wait,
            format: self.output,
        }
    }
}

/// Whether no check has failed.
pub(super) fn run(args: &Args) -> Result<bool, CheckError> {
    if let Some(id) = &args.explain {
        let section = check::explain(id);
        print!(
            "{}",
            section.ok_or_else(|| CheckError::NoSuchCheck(id.clone()))?
        );
        return Ok(true);
    }
    let runtime = runtime().map_err(CheckError::Runtime)?;
    let checked = runtime.block_on(check::run(&args.cluster, &args.options()));
    checked.map_err(CheckError::Print)
}
