//! What the run waits for, on standard error: a spinner on a terminal, elsewhere a line
//! for each check that is waited for.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::super::{Check, Problem};

const REDRAW: Duration = Duration::from_millis(100);

/// Shows one thing at a time.
pub(super) enum Progress {
    Spinner(ProgressBar),
    Lines {
        /// The check that was told of.
        told: &'static str,
    },
    #[cfg(test)]
    Hidden,
}

impl Progress {
    pub(super) fn on_stderr() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { told: "" };
        }
        let style = ProgressStyle::with_template("{spinner} {wide_msg}")
            .expect("the template is a literal");
        Self::Spinner(ProgressBar::new_spinner().with_style(style))
    }

    pub(super) fn reading(&mut self) {
        self.spin("reading the cluster".to_owned());
    }

    pub(super) fn waiting(&mut self, check: &Check, problem: &Problem, left: Duration) {
        let (what, seconds) = (check.what, left.as_secs());
        let why = problem.lines().first().map_or("", String::as_str);
        if let Self::Lines { told } = self
            && *told != check.id
        {
            *told = check.id;
            eprintln!("mesh: waiting up to {seconds} s until {what}: {why}");
        }
        self.spin(format!("until {what} ({seconds} s left): {why}"));
    }

    fn spin(&mut self, message: String) {
        if let Self::Spinner(bar) = self {
            bar.set_message(message);
            bar.enable_steady_tick(REDRAW);
        }
    }

    /// Makes way for a row.
    pub(super) fn clear(&mut self) {
        if let Self::Spinner(bar) = self {
            bar.disable_steady_tick();
            let style = bar.style();
            bar.finish_and_clear();
            *bar = ProgressBar::new_spinner().with_style(style);
        }
    }
}
