//! The figures, with what they should be: for people (Markdown) and for scripts (JSON).

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::args::Settings;
use super::changes::Cost;
use super::run::Findings;
use crate::machine::{Machine, noise};

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

/// A run, ready to be shown.
#[derive(Debug)]
pub struct Report<'a> {
    settings: &'a Settings,
    findings: &'a Findings,
    machine: Machine,
    figures: Vec<Figure>,
}

impl<'a> Report<'a> {
    /// Works out the figures.
    #[must_use]
    pub fn new(settings: &'a Settings, findings: &'a Findings) -> Self {
        let machine = Machine {
            commit: crate::world::commit(),
            ..Machine::here(&[])
        };
        let mut figures = times(findings);
        figures.extend(memory(settings, findings));
        figures.extend(processor(findings));
        Self {
            settings,
            findings,
            machine,
            figures,
        }
    }

    /// `controller-DATE.md`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("controller-{}.md", today())
    }

    /// For scripts.
    #[must_use]
    pub fn json(&self) -> Value {
        let shape = &self.settings.shape;
        json!({
            "date": today(), "machine": self.machine, "noise": self.noise(),
            "shape": {"services": shape.services, "endpoints": shape.pods(), "proxies": shape.proxies,
                "streams": shape.streams(), "namespaces": shape.namespaces, "nodes": shape.nodes},
            "figures": self.figures, "failures": self.failures(),
        })
    }

    /// What went wrong on the way.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let Findings {
            few,
            all,
            burst,
            broken: (streams, why),
            ..
        } = self.findings;
        let lost = few.lost + all.lost + burst.lost;
        if lost > 0 {
            failures.push(format!("{lost} times a watcher never heard of a change"));
        }
        if *streams > 0 {
            let why = why.as_deref().unwrap_or_default();
            failures.push(format!("{streams} streams ended; the first: {why}"));
        }
        failures
    }

    fn noise(&self) -> Vec<String> {
        let [before, after] = &self.findings.calibrations;
        noise(before, after)
    }

    /// For people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = format!("# The controller at scale\n\n{}\n\n", self.preface());
        if !self.noise().is_empty() {
            let noise = self.noise().join("; ");
            page += &format!(
                "**A noisy machine: {noise}. Times are worse than they would be alone; processor time and memory are good.**\n\n"
            );
        }
        for failure in self.failures() {
            page += &format!("- failed: {failure}\n\n");
        }
        page += "| | | target | |\n|---|---:|---:|---|\n";
        for figure in &self.figures {
            let Figure {
                what, value, unit, ..
            } = figure;
            let target = figure.target.map_or(String::new(), |target| {
                format!("< {} {unit}", number(target))
            });
            let met = match figure.met {
                Some(true) => "met",
                Some(false) => "**missed**",
                None => "",
            };
            writeln!(
                page,
                "| {what} | {} {unit} | {target} | {met} |",
                number(*value)
            )
            .expect("a string takes all");
        }
        page
    }

    fn preface(&self) -> String {
        let (machine, shape) = (&self.machine, &self.settings.shape);
        format!(
            "{} on {} x {}, Linux {}; commit {}.\n\n\
             {} Services in {} namespaces, {} endpoints that are Pods with proxies, {} nodes; {} proxies with {} streams. \
             {} single changes, {} of the Service that all watch, {} bursts of {}.",
            today(),
            machine.processors,
            machine.processor,
            machine.kernel,
            machine.commit,
            shape.services,
            shape.namespaces,
            shape.pods(),
            shape.nodes,
            shape.proxies,
            shape.streams(),
            self.settings.changes,
            self.settings.common,
            self.settings.bursts,
            self.settings.burst,
        )
    }
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

fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn today() -> String {
    let day = format_description!("[year]-[month]-[day]");
    let date = OffsetDateTime::now_utc().format(day);
    date.expect("the format is a literal")
}
