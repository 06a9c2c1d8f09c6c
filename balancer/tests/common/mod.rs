//! A mock endpoint and an observer that remembers, for the tests of the whole service.
#![allow(dead_code, reason = "no test uses all of it")]

use mesh_balancer::{
    Balance, Balancer, Config, Gate, Observer, OnResponse, QueueConfig, Target, Unsent, Update,
    UpdateKind,
};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::SmallRng};
use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tower_service::Service;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(3);

/// What an endpoint says when it is asked to become ready.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Readiness {
    Ready,
    /// Fails and shuts its gate, as a client whose connection is gone does.
    FailsAndShuts,
    /// Is ready, but finds its connection closed when it is called, and gives the request back.
    GivesBack,
    /// Fails and leaves its gate open, as no client should.
    Fails,
    /// Connects until it is woken in another state.
    Never,
}

/// An endpoint. Its metadata is how long it takes to answer.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) key: u32,
    pub(crate) gate: Gate,
    latency: Duration,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    pub(crate) readiness: Readiness,
    pub(crate) fails: bool,
    pub(crate) attempts: u32,
    pub(crate) served: Vec<u32>,
    connecting: Vec<Waker>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("refused")]
pub(crate) struct Refused {
    unsent: Option<u32>,
}

impl Unsent<u32> for Refused {
    fn unsent(self) -> Result<u32, Self> {
        self.unsent.ok_or(Self { unsent: None })
    }
}

impl Backend {
    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
    }

    pub(crate) fn wake(&self) {
        self.state.lock().connecting.drain(..).for_each(Waker::wake);
    }

    pub(crate) fn served(&self) -> Vec<u32> {
        self.state.lock().served.clone()
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.state.lock().attempts
    }
}

impl Service<u32> for Backend {
    type Response = u32;
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<u32, Refused>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        let mut state = self.state.lock();
        state.attempts += 1;
        match state.readiness {
            Readiness::Ready | Readiness::GivesBack => Poll::Ready(Ok(())),
            Readiness::Never => {
                state.connecting.push(cx.waker().clone());
                Poll::Pending
            }
            Readiness::Fails => Poll::Ready(Err(Refused { unsent: None })),
            Readiness::FailsAndShuts => {
                self.gate.shut();
                Poll::Ready(Err(Refused { unsent: None }))
            }
        }
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let (state, latency, gate) = (self.state.clone(), self.latency, self.gate.clone());
        Box::pin(async move {
            if state.lock().readiness == Readiness::GivesBack {
                gate.shut();
                return Err(Refused {
                    unsent: Some(request),
                });
            }
            state.lock().served.push(request);
            tokio::time::sleep(latency).await;
            if state.lock().fails {
                Err(Refused { unsent: None })
            } else {
                Ok(request)
            }
        })
    }
}

/// A balancing service and the handles of all endpoints it ever had.
pub(crate) struct Fixture {
    pub(crate) balance: Balance<u32, Backend, OnResponse>,
    pub(crate) events: Arc<Events>,
    backends: Mutex<HashMap<u32, Backend>>,
}

impl Fixture {
    pub(crate) fn new(endpoints: u32, capacity: usize) -> Self {
        let fixture = Self::untold(capacity);
        fixture.update(Update::Reset((0..endpoints).map(target).collect()));
        fixture
    }

    /// Discovery has not said anything.
    pub(crate) fn untold(capacity: usize) -> Self {
        let events = Arc::new(Events::default());
        let balancer = Balancer::with_observer(Config::default(), events.clone());
        let queue = QueueConfig {
            capacity,
            failfast_timeout: TIMEOUT,
        };
        let balance = Balance::with_rng(balancer, queue, OnResponse, SmallRng::seed_from_u64(1));
        Self {
            balance,
            events,
            backends: Mutex::default(),
        }
    }

    pub(crate) fn update(&self, update: Update<u32, Duration>) {
        self.balance
            .balancer()
            .update(update, |key, latency, gate| {
                let state = State {
                    readiness: Readiness::Ready,
                    fails: false,
                    attempts: 0,
                    served: Vec::new(),
                    connecting: Vec::new(),
                };
                let backend = Backend {
                    key: *key,
                    gate,
                    latency: *latency,
                    state: Arc::new(Mutex::new(state)),
                };
                self.backends.lock().insert(*key, backend.clone());
                backend
            });
    }

    pub(crate) fn backend(&self, key: u32) -> Backend {
        self.backends.lock()[&key].clone()
    }

    pub(crate) fn pending(&self) -> u32 {
        let now = tokio::time::Instant::now();
        self.balance
            .balancer()
            .snapshot(now)
            .iter()
            .map(|status| status.pending)
            .sum()
    }
}

/// An endpoint that takes 10 ms.
pub(crate) fn target(key: u32) -> Target<u32, Duration> {
    Target::new(key, Duration::from_millis(10))
}

/// Lets all other tasks of a paused runtime run until they wait.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[derive(Debug, PartialEq, Clone, Copy)]
pub(crate) enum Event {
    Updated(UpdateKind, usize),
    Ready(usize),
    Gate(bool),
    Queue(usize),
    Queued(Duration),
    FailFast(bool),
}

#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<Event>>);

impl Events {
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Observer for Events {
    fn updated(&self, kind: UpdateKind, endpoints: usize) {
        self.0.lock().push(Event::Updated(kind, endpoints));
    }

    fn ready(&self, ready: usize) {
        self.0.lock().push(Event::Ready(ready));
    }

    fn gate(&self, open: bool) {
        self.0.lock().push(Event::Gate(open));
    }

    fn queue(&self, waiting: usize) {
        self.0.lock().push(Event::Queue(waiting));
    }

    fn queued(&self, waited: Duration) {
        self.0.lock().push(Event::Queued(waited));
    }

    fn failfast(&self, active: bool) {
        self.0.lock().push(Event::FailFast(active));
    }
}
