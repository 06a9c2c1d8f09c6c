//! A row for each peer and case.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::Settings;
use crate::case::Case;
use crate::measure::Measurement;
use crate::peers::Peer;
use crate::run::Findings;

/// What the repetitions come to. Serialized, it is one of `--json`'s list.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Who.
    pub peer: &'static str,
    /// What.
    pub case: String,
    /// Requests per second; for `tcp-Nc-max` megabytes.
    pub rps: f64,
    /// Microseconds; none where bytes count.
    pub p50_us: Option<f64>,
    /// Microseconds.
    pub p90_us: Option<f64>,
    /// Microseconds.
    pub p99_us: Option<f64>,
    /// Microseconds.
    pub p999_us: Option<f64>,
    /// Microseconds, the longest of all repetitions.
    pub max_us: Option<f64>,
    /// Of both proxies; for `tcp-Nc-max` per megabyte.
    pub cpu_us_per_request: Option<f64>,
    /// Of the larger proxy.
    pub rss_bytes: Option<u64>,
    /// (Largest - smallest) / median: of throughput at `max`, of p50 at a rate.
    pub spread: f64,
    #[serde(skip)]
    pub(super) index: usize,
    #[serde(skip)]
    pub(super) asked: Case,
    #[serde(skip)]
    pub(super) who: Peer,
    #[serde(skip)]
    pub(super) failed: u64,
    #[serde(skip)]
    pub(super) latency: Histogram<u64>,
}

pub(super) fn rows(settings: &Settings, findings: &Findings) -> Vec<Row> {
    let measured = findings.measurements.iter();
    let rows =
        measured.map(|((index, peer), times)| row(*index, settings.cases[*index], *peer, times));
    rows.collect()
}

fn row(index: usize, case: Case, peer: Peer, times: &[Measurement]) -> Row {
    let timed = !case.is_bulk();
    let at = |quantile: f64| timed.then(|| median(times, |it| micros(&it.latency, quantile)));
    let primary = |it: &Measurement| match case.rps {
        Some(_) => micros(&it.latency, 0.5),
        None => it.rps,
    };
    let mut latency = times[0].latency.clone();
    for other in &times[1..] {
        latency
            .add(&other.latency)
            .expect("all have the same bounds");
    }
    Row {
        peer: peer.name(),
        case: case.to_string(),
        rps: median(times, |it| it.rps),
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: timed.then(|| micros(&latency, 1.0)),
        cpu_us_per_request: times[0]
            .cpu_us
            .map(|_| median(times, |it| it.cpu_us.unwrap_or(0.0))),
        rss_bytes: times.iter().filter_map(|it| it.rss).max(),
        spread: spread(times, primary),
        failed: times.iter().map(|it| it.failed).sum(),
        who: peer,
        asked: case,
        index,
        latency,
    }
}

/// A quantile in microseconds.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ns")]
pub(super) fn micros(latency: &Histogram<u64>, quantile: f64) -> f64 {
    latency.value_at_quantile(quantile) as f64 / 1e3
}

fn sorted(times: &[Measurement], figure: impl Fn(&Measurement) -> f64) -> Vec<f64> {
    let mut figures: Vec<f64> = times.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures
}

fn median(times: &[Measurement], figure: impl Fn(&Measurement) -> f64) -> f64 {
    let figures = sorted(times, figure);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 {
        figures[middle]
    } else {
        f64::midpoint(figures[middle - 1], figures[middle])
    }
}

fn spread(times: &[Measurement], figure: impl Fn(&Measurement) -> f64) -> f64 {
    let figures = sorted(times, &figure);
    let middle = median(times, &figure);
    if middle == 0.0 {
        return 0.0;
    }
    (figures[figures.len() - 1] - figures[0]) / middle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(rps: f64, micros: u64) -> Measurement {
        let mut latency = Histogram::new(3).unwrap();
        latency.record(micros * 1000).unwrap();
        Measurement {
            latency,
            rps,
            cpu_us: Some(rps / 10.0),
            rss: Some(7_000_000),
            failed: 0,
            failure: None,
        }
    }

    #[test]
    fn a_row_has_medians_and_their_spread() {
        let times = [measured(90.0, 20), measured(100.0, 10), measured(130.0, 40)];
        let case: Case = "http1-100b-32c-max".parse().unwrap();
        let row = row(0, case, Peer::Mesh, &times);
        assert!((row.rps - 100.0).abs() < 1e-9);
        assert!((row.spread - 0.4).abs() < 1e-9);
        assert!((row.p50_us.unwrap() - 20.0).abs() < 0.1);
        assert!((row.max_us.unwrap() - 40.0).abs() < 0.1);
        assert_eq!(row.cpu_us_per_request, Some(10.0));
        let names: Vec<String> = serde_json::to_value(&row)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let mut wanted = [
            "peer",
            "case",
            "rps",
            "p50_us",
            "p90_us",
            "p99_us",
            "p999_us",
            "max_us",
            "cpu_us_per_request",
            "rss_bytes",
            "spread",
        ];
        wanted.sort_unstable();
        let mut names = names;
        names.sort_unstable();
        assert_eq!(names, wanted);
    }
}
