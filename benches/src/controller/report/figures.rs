//! The figures of a run, and what they should be.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::controller::args::Settings;
use crate::controller::changes::Cost;
use crate::controller::run::Findings;
use crate::controller::webhook::Answers;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// For scripts.
    pub name: &'static str,
    /// For people.
    pub what: String,
    /// In `unit`.
    pub value: f64,
    /// Of value and target.
    pub unit: &'static str,
    /// The value should be less.
    pub target: Option<f64>,
    /// Whether it is.
    pub met: Option<bool>,
}

impl Figure {
    fn new(name: &'static str, what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name,
            what: what.into(),
            value,
            unit,
            target: None,
            met: None,
        }
    }

    fn below(self, target: f64) -> Self {
        Self {
            target: Some(target),
            met: Some(self.value < target),
            ..self
        }
    }
}

/// All of a run, in the order of the table.
pub(super) fn of(settings: &Settings, findings: &Findings) -> Vec<Figure> {
    let mut figures = times(findings);
    figures.extend(memory(settings, findings));
    figures.extend(processor(findings));
    figures.extend(webhook(&findings.webhook));
    figures
}

fn times(findings: &Findings) -> Vec<Figure> {
    let start = findings.start.as_secs_f64();
    let connect = findings.connect.as_secs_f64();
    let mut figures = vec![
        Figure::new("start", "start to ready", start, "s"),
        Figure::new(
            "connect",
            "all proxies connect at once, until each stream has its first message",
            connect,
            "s",
        ),
    ];
    figures.extend(quantiles(
        ["few_p50", "few_p99", "few_max"],
        "a change has reached all of its few watchers",
        &findings.few,
    ));
    figures.extend(quantiles(
        ["all_p50", "all_p99", "all_max"],
        "a change has reached all proxies",
        &findings.all,
    ));
    figures.extend(quantiles(
        ["burst_p50", "burst_p99", "burst_max"],
        "a change in a burst has reached all of its watchers",
        &findings.burst,
    ));
    figures
}

fn quantiles(names: [&'static str; 3], what: &str, cost: &Cost) -> [Figure; 3] {
    let at =
        |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
    let [p50, p99, max] = names;
    [
        Figure::new(p50, format!("{what}: p50"), at(&cost.last, 0.5), "ms"),
        Figure::new(p99, format!("{what}: p99"), at(&cost.last, 0.99), "ms").below(1000.0),
        Figure::new(max, format!("{what}: max"), at(&cost.last, 1.0), "ms"),
    ]
}

fn memory(settings: &Settings, findings: &Findings) -> Vec<Figure> {
    let (shape, memory) = (&settings.shape, &findings.memory);
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let each =
        |from: u64, to: u64, count: usize| to.saturating_sub(from) as f64 / 1e3 / count as f64;
    vec![
        Figure::new(
            "rss_empty",
            "memory without objects",
            megabytes(memory.empty),
            "MB",
        ),
        Figure::new(
            "rss_objects",
            "memory with all objects",
            megabytes(memory.objects),
            "MB",
        ),
        Figure::new(
            "rss_watched",
            "memory with all proxies",
            megabytes(memory.watched),
            "MB",
        )
        .below(250.0),
        Figure::new(
            "rss_end",
            "memory after all changes",
            megabytes(memory.end),
            "MB",
        )
        .below(250.0),
        Figure::new(
            "rss_peak",
            "memory at its peak",
            megabytes(memory.peak),
            "MB",
        ),
        Figure::new(
            "endpoint",
            "memory for an endpoint (its Pod, its part of slice and Service)",
            each(memory.empty, memory.objects, shape.pods()),
            "kB",
        ),
        Figure::new(
            "watcher",
            format!(
                "memory for a proxy (two connections, {} streams)",
                shape.streams() / shape.proxies
            ),
            each(memory.objects, memory.watched, shape.proxies),
            "kB",
        ),
        Figure::new(
            "stream",
            "memory for a stream, its part of the connection included",
            each(memory.objects, memory.watched, shape.streams()),
            "kB",
        ),
    ]
}

fn processor(findings: &Findings) -> Vec<Figure> {
    let millis = |cost: &Cost| cost.cpu.as_secs_f64() * 1e3;
    vec![
        Figure::new(
            "idle_cpu",
            "processor time while nothing changes",
            findings.idle * 100.0,
            "%",
        )
        .below(2.0),
        Figure::new(
            "few_cpu",
            "processor time for a change that few watch",
            millis(&findings.few),
            "ms",
        ),
        Figure::new(
            "all_cpu",
            "processor time for a change that all watch",
            millis(&findings.all),
            "ms",
        ),
        Figure::new(
            "burst_cpu",
            "processor time for a change in a burst",
            millis(&findings.burst),
            "ms",
        ),
        Figure::new(
            "heartbeat_cpu",
            "processor time for a write that changes nothing",
            findings.heartbeat.as_secs_f64() * 1e3,
            "ms",
        ),
    ]
}

fn webhook(answers: &Answers) -> Vec<Figure> {
    let at = |quantile| answers.latency.value_at_quantile(quantile) as f64 / 1e6;
    vec![
        Figure::new("inject_p50", "the webhook answers: p50", at(0.5), "ms"),
        Figure::new("inject_p99", "the webhook answers: p99", at(0.99), "ms").below(10.0),
        Figure::new("inject_max", "the webhook answers: max", at(1.0), "ms"),
        Figure::new("inject_rate", "answers of the webhook", answers.rate, "/s"),
        Figure::new(
            "inject_cpu",
            "processor time for an injection",
            answers.cpu.as_secs_f64() * 1e3,
            "ms",
        ),
        Figure::new(
            "inject_rss",
            "memory of the injector",
            answers.resident as f64 / 1e6,
            "MB",
        ),
    ]
}
