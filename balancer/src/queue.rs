//! Where requests wait while no endpoint is ready.
//!
//! A bounded number of requests wait, first come first served, for at most the failfast timeout. When it has passed
//! the queue is in *failfast*: waiting and new requests fail at once, until an endpoint is ready again. Otherwise every
//! request to a dead service would hold its client, and our memory, for seconds.
//!
//! Linkerd feeds its balancer from a channel, with a worker task per balancer and a oneshot channel per request. Here
//! the waiting requests are their own queue: all watch the endpoints, and are woken in the order in which they came.
//! That they go on together matters on a busy machine. If each woke the next, one would leave the queue in each turn of
//! the runtime, and where more arrive in a turn it would never be empty again: full, with every endpoint ready.
//! A request that is cancelled leaves by being dropped, and without waiting there is no queue at all.

use crate::{Balancer, Observer, Pick};
use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::Poll,
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// The bounds of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// How many requests may wait at the same time, once discovery has said where the endpoints are. Until then only
    /// the timeout bounds the wait.
    pub capacity: usize,
    /// How long a request waits for a ready endpoint before the queue goes into failfast.
    pub failfast_timeout: Duration,
}

impl Default for QueueConfig {
    /// 100 requests for 3 s, what Linkerd's policy controller sends.
    fn default() -> Self {
        Self {
            capacity: 100,
            failfast_timeout: Duration::from_secs(3),
        }
    }
}

/// Why a request could not wait for an endpoint. No endpoint has seen the request: it is safe to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// As many requests are waiting as may wait.
    #[error("too many requests wait for an endpoint of the service to become ready")]
    Full,
    /// No endpoint became ready in time.
    #[error("no endpoint of the service became ready within the failfast timeout")]
    FailFast,
}

pub(crate) struct Queue {
    config: QueueConfig,
    waiting: AtomicUsize,
    failfast: AtomicBool,
    /// Wakes those who wait when failfast begins.
    gave_up: Notify,
}

impl Queue {
    pub(crate) fn new(config: QueueConfig) -> Self {
        Self {
            config,
            waiting: AtomicUsize::new(0),
            failfast: AtomicBool::new(false),
            gave_up: Notify::new(),
        }
    }

    /// When a request that starts to wait now has waited long enough.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.config.failfast_timeout
    }

    /// A pick, at once if possible; otherwise after waiting. `deadline` is set by the first wait of a request, so that
    /// one that comes back again and again can't wait forever.
    ///
    /// # Errors
    /// See [`QueueError`].
    pub(crate) async fn pick<K, T>(
        &self,
        balancer: &Balancer<K, T>,
        deadline: &mut Option<Instant>,
        try_pick: impl Fn() -> Option<Pick<K, T>>,
    ) -> Result<Pick<K, T>, QueueError> {
        // Nobody overtakes those who wait already.
        if self.waiting.load(Ordering::Acquire) == 0
            && let Some(pick) = try_pick()
        {
            self.set_failfast(false, balancer.observer());
            return Ok(pick);
        }
        // In a box of its own: the timers and wakers of a wait would make the future of each request larger.
        Box::pin(self.wait(balancer, deadline, try_pick)).await
    }

    /// A pick after waiting for it.
    async fn wait<K, T>(
        &self,
        balancer: &Balancer<K, T>,
        deadline: &mut Option<Instant>,
        try_pick: impl Fn() -> Option<Pick<K, T>>,
    ) -> Result<Pick<K, T>, QueueError> {
        let _place = self.enter(balancer)?;
        let deadline = *deadline.get_or_insert_with(|| self.deadline());
        // Who has been woken and waits for its turn of the runtime comes first.
        let_others_go().await;
        loop {
            let mut gave_up = pin!(self.gave_up.notified());
            // Registered before the check, so that no failfast in between is missed.
            gave_up.as_mut().enable();
            if let Some(pick) = try_pick() {
                self.set_failfast(false, balancer.observer());
                return Ok(pick);
            }
            if self.failfast.load(Ordering::Acquire) {
                return Err(QueueError::FailFast);
            }
            tokio::select! {
                biased;
                () = balancer.available() => {}
                () = gave_up => {}
                () = sleep_until(deadline) => {
                    self.set_failfast(true, balancer.observer());
                    self.gave_up.notify_waiters();
                    return Err(QueueError::FailFast);
                }
            }
        }
    }

    fn enter<'a, K, T>(&'a self, balancer: &'a Balancer<K, T>) -> Result<Place<'a>, QueueError> {
        if self.failfast.load(Ordering::Acquire) && balancer.ready_len() == 0 {
            return Err(QueueError::FailFast);
        }
        // With an endpoint ready, those who wait do so for their turn of the runtime only. And before discovery has said
        // anything, a long queue is no sign of overload: it is the first burst for a service nobody asked for before.
        let open = || balancer.ready_len() > 0 || !balancer.is_told();
        let room = |waiting| waiting < self.config.capacity || open();
        let more = |waiting| room(waiting).then_some(waiting + 1);
        let before = self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        let before = before.map_err(|_| QueueError::Full)?;
        balancer.observer().queue(before + 1);
        Ok(Place {
            waiting: &self.waiting,
            observer: balancer.observer(),
            since: Instant::now(),
        })
    }

    fn set_failfast(&self, active: bool, observer: &dyn Observer) {
        // The plain load keeps the shared cache line clean on every request's path.
        if self.failfast.load(Ordering::Acquire) != active
            && self.failfast.swap(active, Ordering::AcqRel) != active
        {
            observer.failfast(active);
        }
    }
}

/// Lets the tasks run that are woken already. Tokio's `yield_now` would wake those who wait in it last come first.
async fn let_others_go() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A place in the queue, given up when dropped.
struct Place<'a> {
    waiting: &'a AtomicUsize,
    observer: &'a dyn Observer,
    since: Instant,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let before = self.waiting.fetch_sub(1, Ordering::AcqRel);
        self.observer.queue(before - 1);
        self.observer.queued(self.since.elapsed());
    }
}
