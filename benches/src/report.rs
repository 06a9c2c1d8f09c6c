//! What a run has found, for people (Markdown, HTML) and for scripts (JSON), from the same rows.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::args::Settings;
use crate::machine::noise;
use crate::run::Findings;

mod chart;
mod html;
mod markdown;
mod rows;

pub use rows::Row;
use rows::rows;

/// A run, ready to be written.
#[derive(Debug)]
pub struct Report<'a> {
    settings: &'a Settings,
    findings: &'a Findings,
    rows: Vec<Row>,
    noise: Vec<String>,
    date: String,
}

impl<'a> Report<'a> {
    /// Works out the rows.
    #[must_use]
    pub fn new(settings: &'a Settings, findings: &'a Findings) -> Self {
        let [before, after] = &findings.calibrations;
        let day = format_description!("[year]-[month]-[day]");
        let date = OffsetDateTime::now_utc().format(day);
        Self {
            rows: rows(settings, findings),
            noise: noise(before, after),
            date: date.expect("the format is a literal"),
            settings,
            findings,
        }
    }

    /// The table for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::page(self)
    }

    /// Writes all files into a folder of their own below `results`, and returns its name.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn write(&self, results: &Path) -> io::Result<PathBuf> {
        let folder = self.folder(results);
        fs::create_dir_all(&folder)?;
        let file = |name: &str, text: String| fs::write(folder.join(name), text);
        file("report.md", self.markdown())?;
        file("report.html", html::page(self))?;
        file("results.json", pretty(&self.rows)?)?;
        file("run.json", pretty(&self.about())?)?;
        Ok(folder)
    }

    /// `DATE-MACHINE`, and a number when there was a run on this day already.
    fn folder(&self, results: &Path) -> PathBuf {
        let name = format!("{}-{}", self.date, self.findings.machine.slug());
        let mut folder = results.join(&name);
        let mut number = 2;
        while folder.exists() {
            folder = results.join(format!("{name}-{number}"));
            number += 1;
        }
        folder
    }

    fn about(&self) -> serde_json::Value {
        let Self {
            settings,
            findings,
            noise,
            date,
            ..
        } = self;
        json!({
            "date": date,
            "machine": findings.machine,
            "noise": noise,
            "calibrations": {"before": findings.calibrations[0], "after": findings.calibrations[1]},
            "settings": {
                "repetitions": settings.repetitions,
                "warmup_ms": settings.warmup.as_millis(),
                "window_ms": settings.window.as_millis(),
                "tls": "1.3, ECDSA P-256, TLS_AES_128_GCM_SHA256, client certificates",
            },
            "took_seconds": findings.took.as_secs(),
            "footprints": findings.footprints,
            "instructions": findings.instructions,
            "failures": findings.failures,
        })
    }

    /// Everything a reader has to know before the figures, as lines.
    fn preface(&self) -> Vec<String> {
        let Self {
            settings, findings, ..
        } = self;
        let machine = &findings.machine;
        let mut versions = String::new();
        for (peer, version) in &machine.versions {
            write!(versions, "; {peer}: {version}").expect("a string takes all");
        }
        let (times, window) = (settings.repetitions, settings.window);
        let took = findings.took.as_secs();
        vec![
            format!(
                "{} on {} x {}, Linux {}; commit {}{versions}",
                self.date, machine.processors, machine.processor, machine.kernel, machine.commit
            ),
            format!("Each case {times} times {window:?} with each peer, by turns; {took} s in all."),
            "Medians of the repetitions; spread is (largest - smallest) / median of what the case is about: \
             throughput at `max`, p50 at a rate. CPU is of both proxies, memory of the larger one."
                .to_owned(),
        ]
    }
}

fn pretty(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
