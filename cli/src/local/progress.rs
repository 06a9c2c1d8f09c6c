//! What is being done, live, on standard error.
//!
//! A terminal gets a bar that redraws; a pipe or a CI log gets a line every few seconds.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::load::{SharedStats, Stats};

const REDRAW: Duration = Duration::from_millis(200);
const LINE: Duration = Duration::from_secs(3);

/// Says on standard error what happens next.
pub fn step(text: &str) {
    eprintln!("{text}");
}

/// Shows the counts of a run until cancelled.
pub async fn watch(label: &str, duration: Duration, stats: SharedStats) {
    if std::io::stderr().is_terminal() {
        bar(label, duration, stats).await
    } else {
        lines(label, stats).await
    }
}

async fn bar(label: &str, duration: Duration, stats: SharedStats) {
    let style = ProgressStyle::with_template("{prefix:14} [{bar:30}] {msg}")
        .expect("the template is a literal");
    let bar = ProgressBar::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    bar.set_style(style.progress_chars("=> "));
    bar.set_prefix(label.to_owned());
    let start = Instant::now();
    let _clear = ClearOnDrop(&bar);
    loop {
        bar.set_position(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
        bar.set_message(counts(&stats.lock()));
        tokio::time::sleep(REDRAW).await;
    }
}

/// Leaves no half-drawn bar behind when the watcher is cancelled.
struct ClearOnDrop<'a>(&'a ProgressBar);

impl Drop for ClearOnDrop<'_> {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn lines(label: &str, stats: SharedStats) {
    loop {
        tokio::time::sleep(LINE).await;
        eprintln!("{label}: {}", counts(&stats.lock()));
    }
}

fn counts(stats: &Stats) -> String {
    let total = stats.total();
    let (p50, p99) = (millis(stats.quantile(0.5)), millis(stats.quantile(0.99)));
    format!(
        "{} requests, {} failed, p50 {p50}, p99 {p99}",
        total.requests, total.failures
    )
}

/// A latency in milliseconds for people: `2.4 ms`, `118 ms`.
pub fn millis(latency: Duration) -> String {
    let ms = latency.as_secs_f64() * 1e3;
    if ms < 100.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.0} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_readable() {
        assert_eq!(millis(Duration::from_micros(2449)), "2.4 ms");
        assert_eq!(millis(Duration::from_micros(118_400)), "118 ms");
    }
}
