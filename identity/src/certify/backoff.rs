//! Growing pauses after failures, spread so that a fleet doesn't come back at once.

use std::time::Duration;

use rand::Rng;

/// Doubles from `min` to `max`; each pause is then shortened or lengthened by up
/// to the fraction `jitter`.
#[derive(Clone, Debug)]
pub struct Backoff {
    /// The first pause.
    pub min: Duration,
    /// No pause is longer, jitter left aside.
    pub max: Duration,
    /// 0.0 (none) to 1.0.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            min: Duration::from_millis(100),
            max: Duration::from_secs(10),
            jitter: 0.3,
        }
    }
}

impl Backoff {
    /// The pause after so many failures before this one.
    pub(crate) fn delay(&self, failures: u32, rng: &mut impl Rng) -> Duration {
        let exact = self
            .min
            .saturating_mul(2_u32.saturating_pow(failures.min(31)))
            .min(self.max);
        let jitter = self.jitter.clamp(0.0, 1.0);
        exact.mul_f64(1.0 + rng.random_range(-jitter..=jitter))
    }
}
