//! Whether an endpoint can take requests.
//!
//! The endpoint's client knows (its connection failed, a breaker tripped, it reconnected), the balancer must know
//! without asking: polling every client on every pick costs O(N), and a client that is asked needs a waker. So the
//! client owns a [`Gate`] and pushes. One atomic byte holds both "open" and "in the current set", and whoever changes
//! the byte so that both become or cease to be true also moves the count: the count of ready endpoints stays right
//! whatever the order in which a client and an update race.

use crate::Observer;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicIsize, AtomicU8, Ordering},
    },
};
use tokio::sync::Notify;

const OPEN: u8 = 0b01;
const LISTED: u8 = 0b10;

/// Held by an endpoint's client to say whether the endpoint can take requests. A new gate is open.
///
/// Cheap to clone; all clones are the same gate. Both methods are idempotent, and harmless after the endpoint was
/// removed from the balancer.
#[derive(Clone)]
pub struct Gate(Arc<State>);

struct State {
    bits: AtomicU8,
    readiness: Arc<Readiness>,
}

impl Gate {
    pub(crate) fn new(readiness: Arc<Readiness>) -> Self {
        let bits = AtomicU8::new(OPEN);
        Self(Arc::new(State { bits, readiness }))
    }

    /// Takes the endpoint out of the choice. Requests in flight on it are not touched.
    pub fn shut(&self) {
        let before = self.0.bits.fetch_and(!OPEN, Ordering::AcqRel);
        if before & OPEN != 0 {
            self.0.readiness.observer.gate(false);
        }
        if before == OPEN | LISTED {
            self.0.readiness.add(-1);
        }
    }

    /// Puts the endpoint back into the choice, and wakes requests that wait for one.
    pub fn open(&self) {
        let before = self.0.bits.fetch_or(OPEN, Ordering::AcqRel);
        if before & OPEN == 0 {
            self.0.readiness.observer.gate(true);
        }
        if before == LISTED {
            self.0.readiness.add(1);
        }
    }

    /// Whether the endpoint may be picked.
    pub fn is_open(&self) -> bool {
        self.0.bits.load(Ordering::Acquire) & OPEN != 0
    }

    /// The endpoint is in the current set: its gate counts.
    pub(crate) fn list(&self) {
        if self.0.bits.fetch_or(LISTED, Ordering::AcqRel) == OPEN {
            self.0.readiness.add(1);
        }
    }

    /// The endpoint left the set: its gate counts no more.
    pub(crate) fn unlist(&self) {
        if self.0.bits.fetch_and(!LISTED, Ordering::AcqRel) == OPEN | LISTED {
            self.0.readiness.add(-1);
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate")
            .field(&if self.is_open() { "open" } else { "shut" })
            .finish()
    }
}

/// How many endpoints of the current set have an open gate, and who waits for one.
pub(crate) struct Readiness {
    /// Signed: two threads may apply their -1 and +1 in either order.
    ready: AtomicIsize,
    became_ready: Notify,
    pub(crate) observer: Arc<dyn Observer>,
}

impl Readiness {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            ready: AtomicIsize::new(0),
            became_ready: Notify::new(),
            observer,
        }
    }

    pub(crate) fn count(&self) -> usize {
        usize::try_from(self.ready.load(Ordering::Acquire)).unwrap_or(0)
    }

    /// Resolves as soon as at least one endpoint is ready.
    pub(crate) async fn any(&self) {
        let mut notified = std::pin::pin!(self.became_ready.notified());
        loop {
            // Registered before the check, so that a gate that opens in between is not missed.
            notified.as_mut().enable();
            if self.count() > 0 {
                return;
            }
            notified.as_mut().await;
            notified.set(self.became_ready.notified());
        }
    }

    fn add(&self, change: isize) {
        self.ready.fetch_add(change, Ordering::AcqRel);
        self.observer.ready(self.count());
        if change > 0 {
            self.became_ready.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_is_right_after_clients_and_updates_raced() {
        let readiness = Arc::new(Readiness::new(Arc::new(())));
        let gates: Vec<_> = (0..4).map(|_| Gate::new(readiness.clone())).collect();
        std::thread::scope(|scope| {
            for gate in &gates {
                scope.spawn(|| {
                    (0..10_000)
                        .for_each(|_| [Gate::shut, Gate::open].iter().for_each(|flip| flip(gate)))
                });
                scope.spawn(|| {
                    (0..10_000).for_each(|_| {
                        [Gate::unlist, Gate::list]
                            .iter()
                            .for_each(|flip| flip(gate))
                    })
                });
            }
        });
        assert_eq!(readiness.count(), 4);
        gates.iter().for_each(Gate::unlist);
        assert_eq!(readiness.count(), 0);
    }

    #[tokio::test]
    async fn waiting_sees_a_gate_that_opens_before_and_during_the_wait() {
        let readiness = Arc::new(Readiness::new(Arc::new(())));
        let gate = Gate::new(readiness.clone());
        let mut waiting = tokio_test::task::spawn(readiness.any());
        assert!(waiting.poll().is_pending());
        gate.list();
        assert!(waiting.is_woken());
        gate.shut();
        assert!(waiting.poll().is_pending(), "shut again before it looked");
        gate.open();
        assert!(waiting.is_woken() && waiting.poll().is_ready());
        readiness.any().await;
    }
}
