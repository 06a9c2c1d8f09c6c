//! Exponential back-off with jitter: how long to wait before the next attempt.
//!
//! Every retry loop of the proxy uses this one: control-plane connections and
//! watches, certificate requests, and endpoints that refuse connections. Delays
//! double from `min` to `max`, and each is lengthened by a random part of at
//! most `jitter` of itself, so that proxies which lost the same server at the
//! same moment do not come back at the same moment. Jitter only lengthens:
//! `min` is a promise to the server. Randomness is an argument, so tests are exact.

use rand::Rng;
use std::time::Duration;

/// Limits of the delays between attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    jitter: f64,
}

/// Why three numbers are no back-off.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidBackoff {
    /// An attempt would follow the last without a pause.
    #[error("the minimum is zero; use at least 1ms")]
    ZeroMin,
    /// The limits are swapped.
    #[error("the minimum of {min:?} is above the maximum of {max:?}")]
    MinAboveMax {
        /// The minimum given.
        min: Duration,
        /// The maximum given.
        max: Duration,
    },
    /// The jitter is no ratio.
    #[error("the jitter of {0} is not between 0 and 1")]
    Jitter(f64),
}

impl Backoff {
    /// What control-plane clients use unless told otherwise: 100 ms to 10 s,
    /// jitter 0.1 (Linkerd's numbers).
    pub const CONTROL: Self = Self {
        min: Duration::from_millis(100),
        max: Duration::from_secs(10),
        jitter: 0.1,
    };

    /// After an answer that does not change soon: 3 s to 60 s, jitter 0.5.
    pub const ASK_AGAIN: Self = Self {
        min: Duration::from_secs(3),
        max: Duration::from_secs(60),
        jitter: 0.5,
    };

    /// Delays from `min` to `max`, each lengthened by up to `jitter` of itself.
    ///
    /// # Errors
    /// [`InvalidBackoff`] says which number is out of range.
    pub fn new(min: Duration, max: Duration, jitter: f64) -> Result<Self, InvalidBackoff> {
        if min.is_zero() {
            return Err(InvalidBackoff::ZeroMin);
        }
        if min > max {
            return Err(InvalidBackoff::MinAboveMax { min, max });
        }
        if !(0.0..=1.0).contains(&jitter) {
            return Err(InvalidBackoff::Jitter(jitter));
        }
        Ok(Self { min, max, jitter })
    }

    /// The first delay.
    pub fn min(&self) -> Duration {
        self.min
    }

    /// The longest delay, jitter left aside.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// By how much of itself a delay is lengthened at most.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// The delays of one run of failures, endlessly; drop it on success.
    pub fn delays<R: Rng>(self, rng: R) -> Delays<R> {
        Delays {
            backoff: self,
            next: self.min,
            rng,
        }
    }

    /// [`Self::delays`] with a generator of its own, seeded by the system.
    pub fn delays_from_entropy(self) -> Delays<rand::rngs::SmallRng> {
        use rand::SeedableRng as _;
        self.delays(rand::rngs::SmallRng::from_rng(&mut rand::rng()))
    }
}

/// The delays between attempts; an endless iterator.
#[derive(Clone, Debug)]
pub struct Delays<R> {
    backoff: Backoff,
    next: Duration,
    rng: R,
}

impl<R: Rng> Delays<R> {
    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let base = self.next;
        self.next = (base * 2).min(self.backoff.max);
        base + base.mul_f64(self.backoff.jitter * self.rng.random::<f64>())
    }

    /// Starts again at the minimum, after a success.
    pub fn reset(&mut self) {
        self.next = self.backoff.min;
    }
}

impl<R: Rng> Iterator for Delays<R> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.next_delay())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng as _, rngs::SmallRng};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn doubles_up_to_the_maximum_and_resets() {
        let backoff = Backoff::new(MS(100), MS(500), 0.0).unwrap();
        let mut delays = backoff.delays(SmallRng::seed_from_u64(1));
        let first: Vec<_> = delays.by_ref().take(5).collect();
        assert_eq!(first, [MS(100), MS(200), MS(400), MS(500), MS(500)]);
        delays.reset();
        assert_eq!(delays.next_delay(), MS(100));
    }

    #[test]
    fn jitter_only_lengthens_and_differs_by_seed() {
        let backoff = Backoff::new(MS(100), MS(100), 0.5).unwrap();
        let delays = |seed| backoff.delays(SmallRng::seed_from_u64(seed)).take(1000);
        assert!(delays(1).all(|delay| (MS(100)..=MS(150)).contains(&delay)));
        assert!(delays(1).any(|delay| delay > MS(140)));
        assert!(delays(1).ne(delays(2)));
        assert!(
            delays(1).eq(delays(1)),
            "the same seed gives the same delays"
        );
    }

    #[test]
    fn names_the_number_that_is_wrong() {
        let err = |min, max, jitter| Backoff::new(min, max, jitter).unwrap_err().to_string();
        assert!(err(MS(0), MS(1), 0.0).contains("zero"));
        assert!(err(MS(2), MS(1), 0.0).contains("above the maximum of 1ms"));
        assert!(err(MS(1), MS(1), 1.5).contains("1.5"));
        assert!(err(MS(1), MS(1), f64::NAN).contains("NaN"));
    }
}
