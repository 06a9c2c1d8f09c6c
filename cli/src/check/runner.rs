//! Runs checks in order.
//!
//! Each check sees the newest snapshot. One that may still come right (a pod that
//! starts, an endpoint that is not ready) holds the line: the cluster is read again
//! every few seconds until the check passes or the time of the whole run is over, as
//! in `linkerd check`. So what is told of the later checks is told of a cluster that has
//! settled. When the time is over, each is looked at once.

use std::time::Duration;

use tokio::time::Instant;

use super::{Category, Check, Finding, Problem, Snapshot};

/// Between two looks at the cluster.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// Where snapshots come from.
pub(super) trait Observe {
    /// The cluster as it is now.
    async fn look(&mut self) -> Snapshot;
}

/// Is told what happens, as it happens.
pub(super) trait Listen {
    /// The cluster is being read.
    fn reading(&mut self);
    /// The checks of this category follow.
    fn category(&mut self, name: &'static str);
    /// A check is given more time.
    fn waiting(&mut self, check: &Check, problem: &Problem, left: Duration);
    /// A check has ended.
    fn ended(&mut self, outcome: &Outcome);
}

/// How a check has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Passed,
    Skipped,
    Warning,
    Failed,
}

/// A check that has ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) check: Check,
    pub(super) category: &'static str,
    pub(super) level: Level,
    /// Why it was skipped, or what is wrong.
    pub(super) lines: Vec<String>,
}

/// How many checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) passed: usize,
    pub(super) skipped: usize,
    pub(super) warnings: usize,
    pub(super) failed: usize,
    /// A fatal check has failed, and left the rest unchecked.
    pub(super) cut_short: bool,
}

/// Runs `plan`; checks that may come right have `wait` together.
pub(super) async fn run(
    plan: &[Category],
    observer: &mut impl Observe,
    wait: Duration,
    listener: &mut impl Listen,
) -> Summary {
    let deadline = Instant::now() + wait;
    let mut summary = Summary::default();
    listener.reading();
    let mut snapshot = observer.look().await;
    for category in plan {
        listener.category(category.name);
        for check in category.checks {
            let finding = settle(check, &mut snapshot, observer, deadline, listener).await;
            let outcome = judge(*check, category.name, finding);
            summary.count(outcome.level);
            listener.ended(&outcome);
            if check.fatal && outcome.level == Level::Failed {
                summary.cut_short = true;
                return summary;
            }
        }
    }
    summary
}

/// Looks at a check until it passes, or can't be waited for.
async fn settle(
    check: &Check,
    snapshot: &mut Snapshot,
    observer: &mut impl Observe,
    deadline: Instant,
    listener: &mut impl Listen,
) -> Finding {
    loop {
        let finding = (check.look)(snapshot);
        let left = deadline.saturating_duration_since(Instant::now());
        match &finding {
            Err(problem @ Problem::Wrong(_)) if check.retried && left >= PAUSE => {
                listener.waiting(check, problem, left);
            }
            _ => return finding,
        }
        tokio::time::sleep(PAUSE).await;
        *snapshot = observer.look().await;
    }
}

fn judge(check: Check, category: &'static str, finding: Finding) -> Outcome {
    let (level, lines) = match finding {
        Ok(()) => (Level::Passed, Vec::new()),
        Err(Problem::Skipped(why)) => (Level::Skipped, vec![why]),
        Err(Problem::Wrong(lines)) if check.warns => (Level::Warning, lines),
        Err(Problem::Wrong(lines)) => (Level::Failed, lines),
    };
    Outcome {
        check,
        category,
        level,
        lines,
    }
}

impl Summary {
    fn count(&mut self, level: Level) {
        let counter = match level {
            Level::Passed => &mut self.passed,
            Level::Skipped => &mut self.skipped,
            Level::Warning => &mut self.warnings,
            Level::Failed => &mut self.failed,
        };
        *counter += 1;
    }

    /// The worst that happened.
    pub(super) fn level(&self) -> Level {
        match self {
            Self { failed: 1.., .. } => Level::Failed,
            Self { warnings: 1.., .. } => Level::Warning,
            _ => Level::Passed,
        }
    }
}

#[cfg(test)]
mod tests;
