//! One case with one peer, once.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::case::Case;
use crate::cost;
use crate::load::{self, Edge, LoadError};
use crate::peers::Pair;

/// What one time has given.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// Latencies in nanoseconds; empty where bytes count.
    pub latency: Histogram<u64>,
    /// Requests per second; where bytes count, megabytes.
    pub rps: f64,
    /// Processor time of both proxies for each request; none without proxies.
    pub cpu_us: Option<f64>,
    /// Resident bytes of the larger proxy at the end; none without proxies.
    pub rss: Option<u64>,
    /// Requests that failed.
    pub failed: u64,
    /// Why the first of them did.
    pub failure: Option<String>,
}

/// Measures.
///
/// # Errors
/// When a connection can't be made, or no request succeeded.
pub fn measure(
    pair: &Pair,
    case: Case,
    warmup: Duration,
    window: Duration,
) -> Result<Measurement, LoadError> {
    let load = pair.load(case, warmup, window);
    let pids = pair.pids();
    let (mut before, mut after, mut rss) = (Duration::ZERO, Duration::ZERO, 0);
    let sample = pair.client.netns().within(|| {
        load::run(&load, |edge| match edge {
            Edge::Start => before = cost::cpu(&pids),
            Edge::End => {
                after = cost::cpu(&pids);
                rss = cost::resident(&pids);
            }
        })
    })?;
    if sample.requests == 0.0 || sample.between == 0.0 {
        let why = sample.failure.unwrap_or_else(|| "no answer".to_owned());
        return Err(LoadError::Answer(why));
    }
    let cpu = (after.saturating_sub(before)).as_secs_f64() * 1e6 / sample.between;
    let proxied = !pids.is_empty();
    Ok(Measurement {
        rps: sample.rps(),
        cpu_us: proxied.then_some(cpu),
        rss: proxied.then_some(rss),
        failed: sample.failed,
        failure: sample.failure,
        latency: sample.latency,
    })
}
