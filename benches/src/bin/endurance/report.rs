//! What was found: one object for programs, lines for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mesh::local::Stats;
use serde::Serialize;

use crate::scenario::{Findings, Scenario};

/// The result, in the form that `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Nothing was dropped, and everything happened that should.
    pub(crate) ok: bool,
    pub(crate) scenarios: Vec<ScenarioReport>,
}

/// What the client saw in one scenario.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ScenarioReport {
    pub(crate) name: &'static str,
    /// Under load.
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    /// Why requests failed, and how many for that reason.
    pub(crate) causes: BTreeMap<String, u64>,
    /// From when a request was due, so that a stall counts for all that it delayed.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// Answers of each replica.
    pub(crate) replicas: BTreeMap<String, u64>,
    pub(crate) proxies: Vec<Memory>,
    pub(crate) notes: Vec<String>,
    /// What should have happened and did not.
    pub(crate) broken: Vec<String>,
}

/// Resident memory of a proxy; nothing when it does not run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) name: String,
    pub(crate) rss_before_bytes: Option<u64>,
    pub(crate) rss_after_bytes: Option<u64>,
}

impl Report {
    pub(crate) fn new(scenarios: Vec<ScenarioReport>) -> Self {
        Self {
            ok: scenarios.iter().all(ScenarioReport::ok),
            scenarios,
        }
    }
}

impl ScenarioReport {
    pub(crate) fn new(
        scenario: Scenario,
        seconds: f64,
        stats: &Stats,
        findings: Findings,
        proxies: Vec<Memory>,
    ) -> Self {
        let total = stats.total();
        let replicas = stats.replicas().iter();
        Self {
            name: scenario.name(),
            seconds,
            requests: total.requests,
            failures: total.failures,
            causes: stats.causes().clone(),
            p50_ms: stats.quantile(0.5).as_secs_f64() * 1e3,
            p99_ms: stats.quantile(0.99).as_secs_f64() * 1e3,
            max_ms: stats.max().as_secs_f64() * 1e3,
            replicas: replicas
                .map(|(name, count)| (name.clone(), count.requests))
                .collect(),
            proxies,
            notes: findings.notes,
            broken: findings.broken,
        }
    }

    /// Nothing was dropped, and everything happened that should.
    pub(crate) fn ok(&self) -> bool {
        self.failures == 0 && self.broken.is_empty()
    }
}

/// One scenario in full.
pub(crate) fn text(report: &ScenarioReport) -> String {
    let mut text = String::new();
    let failed = report
        .causes
        .iter()
        .map(|(cause, n)| format!("failed: {n} x {cause}"));
    let broken = report.broken.iter().map(|what| format!("BROKEN: {what}"));
    for line in failed.chain(broken).chain(report.notes.iter().cloned()) {
        let _ = writeln!(text, "  {line}");
    }
    let answers: Vec<_> = report
        .replicas
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let _ = writeln!(text, "  answers: {}", answers.join(", "));
    let memory: Vec<_> = report.proxies.iter().map(growth).collect();
    let _ = write!(text, "  resident memory in MB: {}", memory.join(", "));
    text
}

fn growth(memory: &Memory) -> String {
    let mb = |bytes: Option<u64>| {
        bytes.map_or_else(
            || "?".to_owned(),
            |bytes| format!("{:.1}", megabytes(bytes)),
        )
    };
    format!(
        "{} {} -> {}",
        memory.name,
        mb(memory.rss_before_bytes),
        mb(memory.rss_after_bytes)
    )
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 bytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A line for each scenario, and the verdict.
pub(crate) fn summary(report: &Report) -> String {
    let mut text = format!(
        "\n{:<16}{:>8}{:>10}{:>8}{:>12}{:>12}{:>12}\n",
        "scenario", "seconds", "requests", "failed", "p50", "p99", "max"
    );
    for scenario in &report.scenarios {
        let _ = writeln!(
            text,
            "{:<16}{:>8.0}{:>10}{:>8}{:>9.1} ms{:>9.1} ms{:>9.1} ms{}",
            scenario.name,
            scenario.seconds,
            scenario.requests,
            scenario.failures,
            scenario.p50_ms,
            scenario.p99_ms,
            scenario.max_ms,
            if scenario.ok() { "" } else { "  FAILED" }
        );
    }
    text += if report.ok {
        "\nNothing was dropped."
    } else {
        "\nNot everything went as it must."
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(failures: u64, broken: &[&str]) -> ScenarioReport {
        ScenarioReport {
            name: "churn",
            seconds: 60.0,
            requests: 30_000,
            failures,
            causes: BTreeMap::new(),
            p50_ms: 12.0,
            p99_ms: 45.0,
            max_ms: 120.0,
            replicas: BTreeMap::new(),
            proxies: Vec::new(),
            notes: Vec::new(),
            broken: broken.iter().map(|what| (*what).to_owned()).collect(),
        }
    }

    #[test]
    fn one_failure_is_a_failure() {
        assert!(Report::new(vec![scenario(0, &[])]).ok);
        for bad in [scenario(1, &[]), scenario(0, &["no rotation"])] {
            let report = Report::new(vec![scenario(0, &[]), bad]);
            assert!(!report.ok);
            assert_eq!(summary(&report).matches("FAILED").count(), 1);
        }
    }
}
