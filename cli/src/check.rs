//! `mesh check`: what is wrong with a mesh, or with the cluster that will get one.
//!
//! A check is a pure function from a [`Snapshot`] of the cluster to a [`Finding`],
//! so each is tested with a few objects and no cluster. What it needs is read
//! before, once for all checks and in parallel: their answers are of one moment, and a
//! hundred checks cost the API server a dozen lists. The other way, a request
//! in each check, is simpler to write and makes tests that need a cluster.
//!
//! ```text
//! snapshot   reads objects, and asks pods through port-forwards
//! checks     the catalogue: one file for each category
//! runner     in order; what may still come right is looked at again
//! report     as a table, as JSON, or problems only
//! guide      docs/checks, which each check has a section of
//! ```

mod catalogue;
mod checks;
mod finding;
mod guide;
mod report;
mod runner;
mod snapshot;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

pub(crate) use catalogue::{Category, Check, Plan, plan};
pub(crate) use finding::{Finding, Problem, nothing_wrong};
pub(crate) use guide::explain;
pub(crate) use report::Format;
pub(crate) use snapshot::{Scope, Snapshot, seen};

use crate::cluster::ClusterArgs;

/// What is to be checked, and how it is told.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) plan: Plan,
    pub(crate) scope: Scope,
    pub(crate) wait: Duration,
    pub(crate) format: Format,
}

/// Runs the checks; whether none has failed.
///
/// # Errors
/// When the result can't be written.
pub(crate) async fn run(cluster: &ClusterArgs, options: &Options) -> io::Result<bool> {
    let mut observer = snapshot::Observer::new(cluster, options).await;
    let mut report = report::to_terminal(options.format);
    let plan = plan(options.plan);
    let summary = runner::run(&plan, &mut observer, options.wait, &mut report).await;
    report.end(&summary)?;
    Ok(summary.failed == 0)
}
