//! What a request to an endpoint is likely to cost now.
//!
//! A request costs `(latency + penalty) * (1 + in flight / weight)`; the pick puts that together. Latency is a
//! peak-EWMA of the time to the first byte, as in Finagle, tower and Linkerd; what differs from theirs, and why:
//! - the queue is counted per unit of weight and an idle endpoint's cost does not depend on its weight: weights are
//!   honoured by sampling (`pick/p2c.rs`), where they give exact shares instead of "the heavier one always wins";
//! - failures cost a penalty in proportion to the recent failure share (`load/failures.rs`);
//! - an endpoint that has not answered yet is presumed to be as fast as the others are (`load/fleet.rs`).

mod failures;
mod fleet;
mod in_flight;
mod peak_ewma;

pub(crate) use self::fleet::{Fleet, Params};
pub use self::in_flight::InFlight;
use self::{failures::Failures, peak_ewma::PeakEwma};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How the endpoint did, as judged by who sees the response (HTTP status, gRPC status, transport error).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The endpoint did its work; the elapsed time is a latency sample.
    Success,
    /// The endpoint failed (5xx, 429, a failing gRPC status, a reset): it is penalised, however fast it was.
    Failure,
}

/// The load of one endpoint as seen by this balancer.
pub(crate) struct Load {
    in_flight: AtomicU32,
    estimate: Mutex<Estimate>,
    fleet: Arc<Fleet>,
}

struct Estimate {
    latency: PeakEwma,
    failures: Failures,
}

impl Load {
    pub(crate) fn new(fleet: Arc<Fleet>, now: Instant) -> Self {
        let estimate = Estimate {
            latency: PeakEwma::new(now),
            failures: Failures::new(now),
        };
        Self {
            in_flight: AtomicU32::new(0),
            estimate: Mutex::new(estimate),
            fleet,
        }
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Requests in flight per unit of weight.
    pub(crate) fn queue(&self, weight: f32) -> f64 {
        f64::from(self.in_flight()) / f64::from(weight)
    }

    /// The expected latency of a request in seconds, with the penalty for failures and without the queue.
    pub(crate) fn latency(&self, now: Instant) -> f64 {
        let Params {
            decay,
            failure_penalty,
            ..
        } = self.fleet.params();
        let typical = self.fleet.typical();
        let estimate = self.estimate.lock();
        let severity = estimate.failures.severity_at(now, failure_penalty);
        estimate.latency.get_at(now, decay, typical) + typical * severity
    }

    fn record(&self, now: Instant, elapsed: Duration, outcome: Outcome) {
        let Params { decay, .. } = self.fleet.params();
        let sample = self.fleet.bound(elapsed.as_secs_f64());
        let known = self.fleet.measured();
        let mut estimate = self.estimate.lock();
        estimate.failures.record(now, outcome);
        match outcome {
            Outcome::Success => {
                let latency = estimate.latency.add_peak(now, decay, sample, known);
                drop(estimate);
                self.fleet.observe(latency);
            }
            // Slow failures are slow, but no failure is evidence of speed.
            Outcome::Failure => {
                let least = estimate
                    .latency
                    .get_at(now, decay, 0.0)
                    .max(self.fleet.typical());
                estimate
                    .latency
                    .add_peak(now, decay, sample.max(least), known);
            }
        }
    }
}

#[cfg(test)]
mod tests;
