//! The latency estimate: an average that follows a rise at once and a fall slowly.
//!
//! Unlike Finagle's and tower's, reading does not change it: [`PeakEwma::get_at`] projects the value to a time, so a
//! snapshot for `/metrics` can't disturb the choice, and the order of reads can't either. It is still a *decaying
//! recent maximum* rather than an average (it grows with the rate of samples of a noisy endpoint); that is the price
//! of noticing a slow endpoint with the first slow answer, and all endpoints of a service pay it alike.

use tokio::time::Instant;

/// A peak-sensitive, exponentially weighted moving average of seconds. `decay` is the time in seconds in which it falls
/// to 1/e without samples; it is an argument, as it belongs to the policy and may change.
#[derive(Debug)]
pub(crate) struct PeakEwma {
    /// None until the first sample: then the caller's presumption stands in.
    value: Option<f64>,
    /// When `value` was true; at first, when the endpoint came.
    at: Instant,
}

impl PeakEwma {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            value: None,
            at: now,
        }
    }

    /// The estimate projected to `now`. An endpoint without a sample has the `presumed` latency, which decays as well,
    /// so that it is tried soon even if all others are as fast as presumed.
    pub(crate) fn get_at(&self, now: Instant, decay: f64, presumed: f64) -> f64 {
        self.value.unwrap_or(presumed) * self.fade(now, decay)
    }

    /// Takes a sample in: a peak replaces the estimate, anything lower pulls it down by the time since the last one.
    /// The first one is set against what is `known` of others, as the first answers of many are the fastest ones, and
    /// is the estimate if nothing is known. Returns the new estimate.
    pub(crate) fn add_peak(
        &mut self,
        now: Instant,
        decay: f64,
        sample: f64,
        known: Option<f64>,
    ) -> f64 {
        let fade = self.fade(now, decay);
        let value = match self.value.or(known) {
            Some(value) if value * fade > sample => value * fade + sample * (1.0 - fade),
            _ => sample,
        };
        self.value = Some(value);
        self.at = self.at.max(now);
        value
    }

    fn fade(&self, now: Instant, decay: f64) -> f64 {
        (-now.saturating_duration_since(self.at).as_secs_f64() / decay).exp()
    }
}
