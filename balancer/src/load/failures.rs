//! The penalty for failures, in multiples of the latency that is typical of the service.
//!
//! A failing endpoint is often the fastest one, so by latency alone it attracts up to 2/N of all requests. Linkerd
//! (2026) records a synthetic latency of 5 s instead, which fades with the latency's own decay: in a service that
//! answers in 5 ms one single 503 starves a pod for `10 s * ln(1000)` = 69 s, and where every pod fails now and then
//! the penalties hide the latencies altogether.
//!
//! Here the penalty is what a request would lose on average: with a success share p the expected cost of trying until
//! it works is `L + L * (1-p)/p`, so severity = failures / successes, both of the last seconds. Consequences:
//! - it is relative: 10 times the typical latency diverts traffic at 1 ms as well as at 1 s;
//! - it is bounded (by the policy's `failure_penalty`, 10) and fades within seconds of the last failure whatever came
//!   before: from 10 to 1 in 3.5 s, to 0.1 in 7 s. An endpoint that keeps failing so gets about one request in 4 s;
//! - a stray failure among many successes costs next to nothing, one failure and nothing else costs all of it, and a
//!   busy endpoint that turns bad is as expensive as two good ones after a second.

use crate::Outcome;
use tokio::time::Instant;

/// In how many seconds outcomes, and the penalty after the last failure, fade to 1/e. Long enough for a proportion at a
/// few requests per second, short enough to notice when an endpoint turns bad.
const MEMORY: f64 = 1.5;
/// Successes every endpoint is credited with. A first failure with no other traffic then has a severity of 10.
const PRIOR: f64 = 0.1;

/// The recent failure share of one endpoint.
#[derive(Debug)]
pub(crate) struct Failures {
    failed: f64,
    succeeded: f64,
    /// When the counts were true.
    at: Instant,
    last_failure: Instant,
}

impl Failures {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            failed: 0.0,
            succeeded: 0.0,
            at: now,
            last_failure: now,
        }
    }

    /// How many typical latencies a request to this endpoint costs on top, at most `limit`.
    pub(crate) fn severity_at(&self, now: Instant, limit: f64) -> f64 {
        if self.failed == 0.0 {
            return 0.0;
        }
        (self.failed / (self.succeeded + PRIOR)).min(limit) * fade(self.last_failure, now)
    }

    pub(crate) fn record(&mut self, now: Instant, outcome: Outcome) {
        let keep = fade(self.at, now);
        self.failed *= keep;
        self.succeeded *= keep;
        self.at = self.at.max(now);
        match outcome {
            Outcome::Success => self.succeeded += 1.0,
            Outcome::Failure => {
                self.failed += 1.0;
                self.last_failure = self.last_failure.max(now);
            }
        }
    }
}

fn fade(from: Instant, to: Instant) -> f64 {
    (-to.saturating_duration_since(from).as_secs_f64() / MEMORY).exp()
}
