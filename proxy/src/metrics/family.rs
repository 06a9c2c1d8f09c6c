//! What a family of metrics is: its name, help, type and buckets.

/// One family, as `# HELP` and `# TYPE` announce it.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

/// The type of a family.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets, ascending, without infinity.
    Histogram(&'static Bounds),
}

/// Upper bounds of buckets.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) values: &'static [f64],
    /// Whether whole bounds are written `1.0` or `1`: Linkerd's newer families
    /// do the first, its older ones the second, and `le` is compared as text.
    pub(super) point: bool,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

pub(super) const fn counter(name: &'static str, help: &'static str) -> Family {
    let kind = Kind::Counter;
    Family { name, help, kind }
}

pub(super) const fn gauge(name: &'static str, help: &'static str) -> Family {
    let kind = Kind::Gauge;
    Family { name, help, kind }
}

pub(super) const fn histogram(
    name: &'static str,
    help: &'static str,
    bounds: &'static Bounds,
) -> Family {
    let kind = Kind::Histogram(bounds);
    Family { name, help, kind }
}

const fn point(values: &'static [f64]) -> Bounds {
    let point = true;
    Bounds { values, point }
}

/// Milliseconds of `response_latency_ms` and its like.
pub(super) static LATENCY_MS: Bounds = Bounds {
    values: &[
        1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 100.0, 200.0, 300.0, 400.0, 500.0,
        1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 10_000.0, 20_000.0, 30_000.0, 40_000.0, 50_000.0,
    ],
    point: false,
};
/// Seconds of a whole exchange, as a route or an inbound response sees it.
pub(super) static EXCHANGE: Bounds = point(&[0.05, 0.5, 1.0, 10.0]);
/// Seconds of one endpoint's answer.
pub(super) static ANSWER: Bounds = point(&[0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0]);
/// Seconds of protocol detection.
pub(super) static DETECTION: Bounds = point(&[0.001, 0.1]);
/// Seconds in a balancer's queue.
pub(super) static QUEUEING: Bounds = point(&[0.0005, 0.005, 0.05, 0.5, 1.0, 3.0]);
/// Bytes of data frames.
pub(super) static FRAMES: Bounds = point(&[128.0, 1024.0, 10_240.0]);
