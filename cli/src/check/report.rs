//! What the user sees of a run: a table, one JSON object, or problems only.
//!
//! Rows appear as checks end, since a run may wait for minutes; what it waits for
//! is told on standard error ([`progress`]), which keeps standard output for programs.

mod json;
mod progress;
mod text;

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use clap::ValueEnum;

use self::json::Json;
use self::progress::Progress;
use self::text::Text;
use super::runner::{Level, Listen, Outcome, Summary};
use super::{Check, Problem};

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Every check, by category
    Table,
    /// One object for programs
    Json,
    /// Problems only
    Short,
}

/// Prints a run.
pub(super) struct Report<W> {
    out: W,
    text: Text,
    /// Collects for the end, in that format.
    json: Option<Json>,
    /// Leaves out what is well.
    short: bool,
    progress: Progress,
    /// The category, and whether its heading is printed.
    category: (&'static str, bool),
    /// Whether anything is printed.
    begun: bool,
    /// The first failure to print.
    failed: io::Result<()>,
}

/// A report on standard output, with colours if that is a terminal and NO_COLOR is not set.
pub(super) fn to_terminal(format: Format) -> Report<io::Stdout> {
    let out = io::stdout();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = out.is_terminal() && !plain;
    Report::new(out, format, colours, Progress::on_stderr())
}

impl<W: Write> Report<W> {
    fn new(out: W, format: Format, colours: bool, progress: Progress) -> Self {
        Self {
            out,
            text: Text { colours },
            json: (format == Format::Json).then(Json::default),
            short: format == Format::Short,
            progress,
            category: ("", true),
            begun: false,
            failed: Ok(()),
        }
    }

    /// Prints what comes last.
    ///
    /// # Errors
    /// When that, or something before, could not be printed.
    pub(super) fn end(mut self, summary: &Summary) -> io::Result<()> {
        self.progress.clear();
        let last = match self.json.take() {
            Some(json) => json.render(summary),
            None => self.text.summary(summary, self.begun),
        };
        self.print(&last);
        self.failed?;
        self.out.flush()
    }

    fn print(&mut self, text: &str) {
        if self.failed.is_ok() {
            self.failed = self.out.write_all(text.as_bytes());
        }
    }

    /// The category's heading, if it is still to come.
    fn heading(&mut self) {
        if let (name, printed @ false) = &mut self.category {
            *printed = true;
            let heading = self.text.heading(name, self.begun);
            self.begun = true;
            self.print(&heading);
        }
    }
}

impl<W: Write> Listen for Report<W> {
    fn reading(&mut self) {
        self.progress.reading();
    }

    fn category(&mut self, name: &'static str) {
        self.category = (name, false);
        if self.json.is_none() && !self.short {
            self.progress.clear();
            self.heading();
        }
    }

    fn waiting(&mut self, check: &Check, problem: &Problem, left: Duration) {
        self.progress.waiting(check, problem, left);
    }

    fn ended(&mut self, outcome: &Outcome) {
        self.progress.clear();
        if let Some(json) = &mut self.json {
            return json.add(outcome);
        }
        if !self.short || outcome.level >= Level::Warning {
            self.heading();
            let row = self.text.row(outcome);
            self.print(&row);
        }
    }
}

/// Where to read about a check.
fn hint(outcome: &Outcome) -> String {
    format!("docs/checks/{}.md#{}", outcome.category, outcome.check.id)
}

#[cfg(test)]
mod tests;
