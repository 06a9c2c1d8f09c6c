//! Rows for people, in the form of `linkerd check`.

use std::fmt::Write as _;

use super::super::runner::{Level, Outcome, Summary};
use super::hint;

/// Objects named under a row; the rest is counted.
const MOST_LINES: usize = 20;

/// How rows look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    pub(super) colours: bool,
}

impl Text {
    /// A category's name, underlined; with an empty line before, but for the first.
    pub(super) fn heading(self, name: &str, follows: bool) -> String {
        let before = if follows { "\n" } else { "" };
        format!("{before}{name}\n{}\n", "-".repeat(name.chars().count()))
    }

    /// A check, and what is wrong.
    pub(super) fn row(self, outcome: &Outcome) -> String {
        let what = outcome.check.what;
        let mark = self.mark(outcome.level);
        match outcome.level {
            Level::Passed => format!("{mark} {what}\n"),
            Level::Skipped => format!("{mark} {what} ({})\n", outcome.lines.join("; ")),
            Level::Warning | Level::Failed => {
                let mut text = format!("{mark} {what}\n");
                for line in outcome.lines.iter().take(MOST_LINES) {
                    let _ = writeln!(text, "    {}", line.replace('\n', "\n      "));
                }
                if let more @ 1.. = outcome.lines.len().saturating_sub(MOST_LINES) {
                    let _ = writeln!(text, "    and {more} more; -o json has all");
                }
                let (page, id) = (hint(outcome), outcome.check.id);
                let _ = writeln!(text, "    see {page}, or run: mesh check --explain {id}");
                text
            }
        }
    }

    /// The last line.
    pub(super) fn summary(self, summary: &Summary, follows: bool) -> String {
        let before = if follows { "\n" } else { "" };
        let mark = self.mark(summary.level());
        let Summary {
            passed,
            skipped,
            warnings,
            failed,
            cut_short,
        } = summary;
        let rest = match cut_short {
            true => ", the rest not run",
            false => "",
        };
        format!(
            "{before}Status check results are {mark} ({passed} passed, {skipped} skipped, {warnings} with warnings, {failed} failed{rest})\n"
        )
    }

    fn mark(self, level: Level) -> String {
        let (mark, colour) = match level {
            Level::Passed => ("√", 32),
            Level::Skipped => ("-", 90),
            Level::Warning => ("‼", 33),
            Level::Failed => ("×", 31),
        };
        match self.colours {
            true => format!("\x1b[{colour}m{mark}\x1b[0m"),
            false => mark.to_owned(),
        }
    }
}
