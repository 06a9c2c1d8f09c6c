//! How long a replica takes and when it fails.
//!
//! Latency is a fixed base plus an exponential tail, the shape of a small service that mostly waits. A failing replica fails *fast*:
//! that is the case that fools a balancer which looks at latency alone, so it is the one worth showing.

use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Settings of a replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The least time that a request takes.
    pub base: Duration,
    /// Mean of the exponential time on top of it.
    pub tail: Duration,
    /// Fraction of requests that fail, 0 to 1.
    pub failure_rate: f64,
    /// Makes a run repeatable.
    pub seed: u64,
}

/// What the application does with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answer it.
    Answer,
    /// Answer 503, or gRPC UNAVAILABLE.
    Fail,
}

/// Draws an outcome and a latency for each request.
#[derive(Debug)]
pub(crate) struct Behaviour {
    settings: Settings,
    rng: Mutex<StdRng>,
}

impl Behaviour {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            rng: Mutex::new(StdRng::seed_from_u64(settings.seed)),
        }
    }

    /// Waits as long as this request takes; a failure takes no time.
    pub(crate) async fn act(&self) -> Outcome {
        let (outcome, latency) = self.draw();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        outcome
    }

    fn draw(&self) -> (Outcome, Duration) {
        let mut rng = self.rng.lock();
        if rng.random_bool(self.settings.failure_rate.clamp(0.0, 1.0)) {
            return (Outcome::Fail, Duration::ZERO);
        }
        // Inverse transform; 1 - u is in (0, 1], so the logarithm is finite.
        let exponential = -(1.0 - rng.random::<f64>()).ln();
        (
            Outcome::Answer,
            self.settings.base + self.settings.tail.mul_f64(exponential),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            base: Duration::from_millis(1),
            tail: Duration::from_millis(1),
            failure_rate: 0.03,
            seed: 7,
        }
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let (a, b) = (Behaviour::new(settings()), Behaviour::new(settings()));
        let drawn: Vec<_> = (0..100).map(|_| a.draw()).collect();
        assert!(
            drawn
                .iter()
                .eq((0..100).map(|_| b.draw()).collect::<Vec<_>>().iter())
        );
    }

    #[test]
    fn latency_and_failures_are_as_set() {
        let behaviour = Behaviour::new(settings());
        let drawn: Vec<_> = (0..10_000).map(|_| behaviour.draw()).collect();
        let failed = drawn
            .iter()
            .filter(|(outcome, _)| *outcome == Outcome::Fail)
            .count();
        assert!((200..400).contains(&failed), "{failed} of 10000 failed");
        let answered: Vec<_> = drawn
            .iter()
            .filter(|(outcome, _)| *outcome == Outcome::Answer)
            .map(|(_, l)| *l)
            .collect();
        assert!(answered.iter().all(|latency| *latency >= settings().base));
        let mean = answered.iter().sum::<Duration>() / u32::try_from(answered.len()).unwrap();
        assert!((1.9..2.1).contains(&(mean.as_secs_f64() * 1e3)), "{mean:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_takes_its_time() {
        let behaviour = Behaviour::new(Settings {
            failure_rate: 0.0,
            tail: Duration::ZERO,
            ..settings()
        });
        let start = tokio::time::Instant::now();
        assert_eq!(behaviour.act().await, Outcome::Answer);
        assert_eq!(start.elapsed(), Duration::from_millis(1));
    }
}
