//! What is typical of all endpoints of a service together.
//!
//! Two decisions need a yardstick: what to presume of an endpoint that has not answered yet (a fixed 30 ms makes a
//! newcomer look 7 times cheaper than a fleet at 200 ms, and starves it for 34 s in a fleet at 1 ms), and how long a
//! latency is long. It is an average over the endpoints' estimates, as those are what a choice compares, taken at each
//! answer. A sample moves it by at most 15 %, so an outlier can't. A race between two threads may lose one sample.

use arc_swap::ArcSwap;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The share of a new sample in the average.
const GAIN: f64 = 0.05;
/// A sample counts as at most this many times the average.
const OUTLIER: f64 = 4.0;
/// The longest latency that is taken in, in multiples of the typical one. A long poll that ends after an hour then
/// costs the endpoint `decay * ln(50)` = 39 s at most, and not minutes.
const LONGEST: f64 = 50.0;

/// The constants of the load estimate, from the policy; times in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Params {
    pub(crate) default_rtt: f64,
    pub(crate) decay: f64,
    pub(crate) failure_penalty: f64,
}

/// Shared by the endpoints of one balancer.
#[derive(Debug)]
pub(crate) struct Fleet {
    params: ArcSwap<Params>,
    /// Bits of an f64 in seconds; zero before the first sample.
    typical: AtomicU64,
}

impl Fleet {
    pub(crate) fn new(params: Params) -> Self {
        Self {
            params: ArcSwap::from_pointee(params),
            typical: AtomicU64::new(0),
        }
    }

    pub(crate) fn params(&self) -> Params {
        **self.params.load()
    }

    pub(crate) fn set_params(&self, params: Params) {
        self.params.store(Arc::new(params));
    }

    /// The typical estimate in seconds; the configured default while nothing has been measured.
    pub(crate) fn typical(&self) -> f64 {
        self.measured().unwrap_or_else(|| self.params().default_rtt)
    }

    /// Takes in an endpoint's new estimate, in seconds.
    pub(crate) fn observe(&self, latency: f64) {
        let typical = match self.measured() {
            Some(typical) => typical + GAIN * (latency.min(OUTLIER * typical) - typical),
            None => latency,
        };
        // Zero stands for "not measured".
        self.typical
            .store(typical.max(1e-9).to_bits(), Ordering::Relaxed);
    }

    /// Cuts a sample, in seconds, to what is plausible.
    pub(crate) fn bound(&self, sample: f64) -> f64 {
        self.measured()
            .map_or(sample, |typical| sample.min(LONGEST * typical))
    }

    /// The typical estimate in seconds, if there is one.
    pub(crate) fn measured(&self) -> Option<f64> {
        Some(f64::from_bits(self.typical.load(Ordering::Relaxed))).filter(|typical| *typical > 0.0)
    }
}
