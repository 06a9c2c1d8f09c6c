//! When each request is due, and waiting for it.
//!
//! tokio's timers fire on whole milliseconds, rounded up. At p50 of two or three milliseconds that would add a fifth to every figure
//! (a latency counts from when the request was due), so the pacer has a timer of the kernel's, which wakes the runtime's own thread
//! within tens of microseconds. A thread that sleeps is as exact, but hands every request over to another thread.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// An even spread of requests over time.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start: Instant,
    rps: f64,
}

impl Schedule {
    /// `rps` requests per second, the first at `start`.
    #[must_use]
    pub fn new(start: Instant, rps: f64) -> Self {
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
pub struct Pacer {
    schedule: Schedule,
    next: u64,
    count: u64,
    timer: AsyncFd<OwnedFd>,
}

impl Pacer {
    /// One that ends after `count` requests.
    ///
    /// # Errors
    /// When the system gives no timer.
    pub fn start(schedule: Schedule, count: u64) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            schedule,
            next: 0,
            count,
            timer: watched(timer)?,
        })
    }

    /// Waits until the next request is due and says since when; `None` after the last. One who comes late gets it at once.
    pub async fn next(&mut self) -> Option<Instant> {
        if self.next == self.count {
            return None;
        }
        let due = self.schedule.due(self.next);
        // A timer that can't be set or read would be a fault of this code: requests then come early, which the tests see.
        self.wait_until(due).await.ok();
        self.next += 1;
        Some(due)
    }

    async fn wait_until(&self, due: Instant) -> io::Result<()> {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let value = Itimerspec {
                it_interval: Timespec::default(),
                it_value: left.try_into().map_err(io::Error::other)?,
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value)?;
            let mut ready = self.timer.readable().await?;
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut [0; 8])?));
            if let Ok(read) = read {
                read?;
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "the sound one is unsafe; an OwnedFd keeps its descriptor open, which is all that one asks for"
)]
fn watched(timer: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(timer)
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
