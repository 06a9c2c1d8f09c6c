//! One object for programs, with the names that `linkerd check -o json` has.
//!
//! What Linkerd has no word for, a check with nothing to look at, has the result
//! `skipped` and a `reason`.

use serde::Serialize;

use super::super::runner::{Level, Outcome, Summary};
use super::hint;

/// A run so far.
#[derive(Debug, Default)]
pub(super) struct Json {
    categories: Vec<Category>,
}

#[derive(Serialize)]
struct Run<'a> {
    success: bool,
    categories: &'a [Category],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Category {
    category_name: &'static str,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
struct Check {
    description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    result: &'static str,
}

impl Json {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        let check = Check::of(outcome);
        match self.categories.last_mut() {
            Some(last) if last.category_name == outcome.category => last.checks.push(check),
            _ => self.categories.push(Category {
                category_name: outcome.category,
                checks: vec![check],
            }),
        }
    }

    pub(super) fn render(&self, summary: &Summary) -> String {
        let run = Run {
            success: summary.failed == 0,
            categories: &self.categories,
        };
        let mut text = serde_json::to_string_pretty(&run).expect("texts and truth values are JSON");
        text.push('\n');
        text
    }
}

impl Check {
    fn of(outcome: &Outcome) -> Self {
        let problem = outcome.level >= Level::Warning;
        let lines = outcome.lines.join("\n");
        Self {
            description: outcome.check.what,
            hint: problem.then(|| hint(outcome)),
            reason: (outcome.level == Level::Skipped).then(|| lines.clone()),
            error: problem.then_some(lines),
            result: match outcome.level {
                Level::Passed => "success",
                Level::Skipped => "skipped",
                Level::Warning => "warning",
                Level::Failed => "error",
            },
        }
    }
}
