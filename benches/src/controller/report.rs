//! The figures, with what they should be: for people (Markdown) and for scripts (JSON).

mod figures;

use std::fmt::Write as _;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

pub use self::figures::Figure;
use super::args::Settings;
use super::run::Findings;
use crate::machine::{Machine, noise};

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
        let figures = figures::of(settings, findings);
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
