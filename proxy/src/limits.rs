//! Bounds on what a client can make the proxy hold or do.
//!
//! [`Limit`] caps how many of something exist at once (connections, requests in
//! flight) and [`ResetBudget`] how fast one HTTP/2 connection may reset streams
//! (CVE-2023-44487: a reset frees the stream's slot at once, so the cap on
//! concurrent streams alone does not bound the work). Both refuse at once
//! instead of queueing: a queue in front of an overloaded proxy only adds
//! latency to the failure.

use metrics::Counter;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A cap on how many of something exist at once. Clones share the count.
#[derive(Clone, Debug)]
pub struct Limit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    what: &'static str,
    max: usize,
    current: AtomicUsize,
    refused: Counter,
}

/// One place under a [`Limit`], given back on drop.
#[derive(Debug)]
#[must_use = "the place is given back when the permit is dropped"]
pub struct Permit(Arc<Inner>);

/// The cap is reached; nothing was started, so a retry elsewhere is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many {what}: the limit of {max} is reached; retry later or raise the limit")]
pub struct LimitReached {
    /// What there is too much of, in the plural.
    pub what: &'static str,
    /// The cap.
    pub max: usize,
}

impl Limit {
    /// At most `max` of `what` (a plural, for the error); `refused` counts the rest.
    pub fn new(what: &'static str, max: usize, refused: Counter) -> Self {
        Self(Arc::new(Inner {
            what,
            max,
            current: AtomicUsize::new(0),
            refused,
        }))
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`LimitReached`] when all are taken.
    pub fn try_acquire(&self) -> Result<Permit, LimitReached> {
        let inner = &self.0;
        let taken = inner
            .current
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |current| {
                (current < inner.max).then_some(current + 1)
            });
        match taken {
            Ok(_) => Ok(Permit(inner.clone())),
            Err(_) => {
                inner.refused.increment(1);
                Err(LimitReached {
                    what: inner.what,
                    max: inner.max,
                })
            }
        }
    }

    /// How many places are taken.
    pub fn current(&self) -> usize {
        self.0.current.load(Ordering::Acquire)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.current.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How many streams one connection may reset: `per_second` on average, and more
/// at once after a while without: a peer carries many clients on one connection,
/// and when all of them leave, every stream it may have open is reset.
#[derive(Clone, Debug)]
pub struct ResetBudget {
    per_second: u32,
    burst: u32,
    tokens: f64,
    updated: Instant,
}

/// The peer resets streams faster than allowed; close the connection
/// (HTTP/2 `ENHANCE_YOUR_CALM`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer resets streams faster than {per_second} a second")]
pub struct TooManyResets {
    /// The allowed rate.
    pub per_second: u32,
}

impl ResetBudget {
    /// A full budget at `now`; `burst` is at least `per_second`.
    pub fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = burst.max(per_second);
        Self {
            per_second,
            burst,
            tokens: f64::from(burst),
            updated: now,
        }
    }

    /// Counts one reset.
    ///
    /// # Errors
    /// [`TooManyResets`] when the budget is used up.
    pub fn reset(&mut self, now: Instant) -> Result<(), TooManyResets> {
        let rate = f64::from(self.per_second);
        let elapsed: Duration = now.saturating_duration_since(self.updated);
        self.updated = self.updated.max(now);
        self.tokens = (self.tokens + elapsed.as_secs_f64() * rate).min(self.burst.into());
        if self.tokens < 1.0 {
            return Err(TooManyResets {
                per_second: self.per_second,
            });
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    fn limit(max: usize) -> (Limit, Arc<AtomicU64>) {
        let refused = Arc::new(AtomicU64::new(0));
        let counter = Counter::from_arc(refused.clone());
        (Limit::new("requests in flight", max, counter), refused)
    }

    #[test]
    fn the_limit_holds_and_places_come_back() {
        let (limit, refused) = limit(2);
        let first = limit.try_acquire().unwrap();
        let _second = limit.clone().try_acquire().unwrap();
        let error = limit.try_acquire().unwrap_err();
        assert_eq!(
            error.to_string(),
            "too many requests in flight: the limit of 2 is reached; retry later or raise the limit"
        );
        assert_eq!(refused.load(Ordering::SeqCst), 1);
        drop(first);
        assert_eq!(limit.current(), 1);
        let _third = limit.try_acquire().unwrap();
        assert_eq!(refused.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn threads_never_pass_the_limit() {
        let (limit, refused) = limit(2);
        let rounds = || {
            (0..1000).filter(|_| {
                let permit = limit.try_acquire();
                assert!(limit.current() <= 2);
                permit.is_err()
            })
        };
        let denied: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| rounds().count())).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(limit.current(), 0);
        assert_eq!(refused.load(Ordering::SeqCst), denied as u64);
    }

    #[test]
    fn a_burst_of_resets_is_cut_and_the_budget_refills() {
        let start = Instant::now();
        let mut budget = ResetBudget::new(100, 300, start);
        let allowed = (0..10_000).filter(|_| budget.reset(start).is_ok()).count();
        assert_eq!(allowed, 300);
        let later = start + Duration::from_millis(105);
        let allowed = (0..1000).filter(|_| budget.reset(later).is_ok()).count();
        assert_eq!(allowed, 10);
        assert!(budget.reset(later).is_err());
    }

    #[test]
    fn a_steady_rate_below_the_limit_passes_for_ever() {
        let start = Instant::now();
        let mut budget = ResetBudget::new(100, 100, start);
        for step in 0..10_000u32 {
            assert_eq!(
                budget.reset(start + Duration::from_millis(11) * step),
                Ok(())
            );
        }
    }

    #[test]
    fn time_going_backwards_is_no_gain() {
        let now = Instant::now() + Duration::from_secs(10);
        let mut budget = ResetBudget::new(1, 1, now);
        assert!(budget.reset(now).is_ok());
        assert!(budget.reset(now - Duration::from_secs(5)).is_err());
        assert!(budget.reset(now).is_err());
    }
}
