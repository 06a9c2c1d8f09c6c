//! One line a second of each kind, however often it happens.
//!
//! What a client can cause without end (a refused connection, a denied request)
//! may not be a line each: it would fill the disk, and cost more than the
//! refusal. Metrics count them all; the log has the first of each second, with
//! the number that were `suppressed` since the line before. A kind is a place in
//! the code, so one flood hides no other.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Between lines of one kind.
const PAUSE: Duration = Duration::from_secs(1);

/// Lines of one kind.
#[derive(Debug)]
pub(crate) struct Flood {
    /// Milliseconds, from [`START`], before which no line is due.
    next: AtomicU64,
    suppressed: AtomicU64,
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Flood {
    /// The first line is due.
    pub(crate) const fn new() -> Self {
        Self {
            next: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Whether a line is due now, and how many were suppressed since the last one.
    pub(crate) fn admit(&self) -> Option<u64> {
        self.admit_at(START.elapsed())
    }

    fn admit_at(&self, now: Duration) -> Option<u64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Relaxed);
        let mine = millis(now) >= next
            && self
                .next
                .compare_exchange(next, millis(now + PAUSE), Relaxed, Relaxed)
                .is_ok();
        if mine {
            return Some(self.suppressed.swap(0, Relaxed));
        }
        self.suppressed.fetch_add(1, Relaxed);
        None
    }
}

/// Logs as `tracing`'s macro of that name does, at most once a second at this place.
macro_rules! sparsely {
    ($level:ident, $($line:tt)+) => {{
        static FLOOD: $crate::log::flood::Flood = $crate::log::flood::Flood::new();
        if let Some(suppressed) = FLOOD.admit() {
            tracing::$level!(suppressed, $($line)+);
        }
    }};
}

pub(crate) use sparsely;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_second_and_a_number() {
        let flood = Flood::new();
        let at = |millis| flood.admit_at(Duration::from_millis(millis));
        assert_eq!(at(5), Some(0));
        assert_eq!((10..1000).filter_map(at).count(), 0);
        assert_eq!(at(1005), Some(990));
        assert_eq!(at(1006), None);
        assert_eq!(at(60_000), Some(1));
        assert_eq!(at(61_000), Some(0));
    }

    #[test]
    fn threads_write_one_line_and_lose_no_count() {
        let flood = Flood::new();
        let burst = || {
            (0..1000)
                .filter_map(|_| flood.admit_at(Duration::ZERO))
                .count()
        };
        let lines: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(burst)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!((lines, flood.admit_at(PAUSE)), (1, Some(3999)));
    }
}
