//! When each request is due, and waiting for it.
//!
//! tokio's timers fire on whole milliseconds, rounded up. At p50 of two or three milliseconds that would add a fifth to every figure
//! (a latency counts from when the request was due), so the pacer is a thread that sleeps, which is good to tens of microseconds.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

/// An even spread of requests over time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Instant,
    rps: f64,
}

impl Schedule {
    pub(super) fn new(start: Instant, rps: f64) -> Self {
        Self { start, rps }
    }

    /// Requests that are due within `duration`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates and durations are positive and small"
    )]
    pub(super) fn count(self, duration: Duration) -> u64 {
        (duration.as_secs_f64() * self.rps).round() as u64
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
    pub(super) fn due(self, index: u64) -> Instant {
        self.start + Duration::from_secs_f64(index as f64 / self.rps)
    }
}

/// Tells when the next request is due.
#[derive(Debug)]
pub(super) struct Pacer {
    due: mpsc::Receiver<Instant>,
}

impl Pacer {
    /// Starts the thread; it ends after `count` requests, or soon after the pacer has been dropped.
    pub(super) fn start(schedule: Schedule, count: u64) -> io::Result<Self> {
        // One in the channel: a receiver that falls behind finds the next one due already, with the time at which it was.
        let (sender, due) = mpsc::channel(1);
        let tick = move || {
            for due in (0..count).map(|index| schedule.due(index)) {
                sleep_until(due);
                if sender.blocking_send(due).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("pacer".to_owned())
            .spawn(tick)?;
        Ok(Self { due })
    }

    /// Waits until the next request is due and says since when; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Instant> {
        self.due.recv().await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread belongs to no runtime"
)]
fn sleep_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_spread_evenly() {
        let start = Instant::now();
        let schedule = Schedule::new(start, 400.0);
        assert_eq!(schedule.count(Duration::from_secs(15)), 6000);
        assert_eq!(schedule.due(0), start);
        assert_eq!(schedule.due(1), start + Duration::from_micros(2500));
        assert_eq!(schedule.due(400), start + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn every_request_comes_once_and_never_early() {
        let schedule = Schedule::new(Instant::now(), 2000.0);
        let mut pacer = Pacer::start(schedule, 10).unwrap();
        for index in 0..10 {
            let due = pacer.next().await.unwrap();
            assert_eq!(due, schedule.due(index));
            assert!(Instant::now() >= due);
        }
        assert_eq!(pacer.next().await, None);
    }
}
