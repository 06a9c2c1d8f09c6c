//! The load: as many requests as possible, or a steady stream of them.
//!
//! A rate is *open*: request i is due at start + i / rate, and its latency counts from then, whether or not a connection was free. A
//! proxy that stalls is so charged with every request that should have been sent meanwhile, which a closed loop (send, wait, send) would
//! leave out: coordinated omission. `max` is a closed loop by its nature; its latencies are those at saturation and nothing else.
//!
//! Everything is on one thread: what it takes from a small machine is the same for every peer, and little because HTTP/1 is bytes here,
//! not a client library.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use mesh::local::{Pacer, Schedule};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use crate::case::Case;

mod connections;
mod http1;
mod http2;
mod tcp;

/// Longest latency that is told apart from longer ones, in nanoseconds.
const MAX_LATENCY: u64 = 60_000_000_000;
/// Bytes that count as one request where bytes are moved.
pub const BULK_UNIT: u64 = 1_000_000;
/// A request at a given rate that has no answer this long after the window has failed; so has a connection that takes this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where to, what, for how long.
#[derive(Clone, Debug)]
pub struct Load {
    /// Address that is connected to.
    pub target: SocketAddr,
    /// For `Host` and `:authority`.
    pub authority: String,
    /// What to send.
    pub case: Case,
    /// Before anything counts.
    pub warmup: Duration,
    /// What counts.
    pub window: Duration,
}

/// What a run has measured.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Latencies in nanoseconds.
    pub latency: Histogram<u64>,
    /// Requests that were answered in the window; fractions where bytes count.
    pub requests: f64,
    /// Requests that failed, and the first reason.
    pub failed: u64,
    /// The first failure's reason.
    pub failure: Option<String>,
    /// Requests that were answered between the two calls of `at`, which on a busy machine are not quite at the ends of the window.
    pub between: f64,
    /// Length of the window.
    pub window: Duration,
}

impl Sample {
    /// Requests per second.
    #[must_use]
    pub fn rps(&self) -> f64 {
        self.requests / self.window.as_secs_f64()
    }

    /// Counts as failed what was due and has no answer at all.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "counts are small and not negative"
    )]
    fn miss(&mut self, due: f64) {
        let missing = due - self.requests - self.failed as f64;
        // The ends of the window may cut one off.
        if missing >= 2.0 {
            self.failed += missing as u64;
            let reason = format!("no answer within {PATIENCE:?}");
            self.failure.get_or_insert(reason);
        }
    }
}

/// The beginning or the end of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Edge {
    Start,
    End,
}

/// Why a request failed, or a connection.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Of the connection.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// Of HTTP/2.
    #[error("HTTP/2: {0}")]
    Http2(#[from] h2::Error),
    /// The answer was not the one that was asked for.
    #[error("{0}")]
    Answer(String),
}

/// What workers share; they are all on one thread.
#[derive(Debug)]
struct Shared {
    load: Load,
    pacer: Option<Mutex<Pacer>>,
    /// When latencies begin to count.
    from: Instant,
    until: Instant,
    sample: RefCell<Sample>,
    /// Requests since the beginning, in the window or not.
    answered: Cell<f64>,
}

impl Shared {
    /// When the next request is due; none after the last.
    async fn due(&self) -> Option<Instant> {
        let due = match &self.pacer {
            // The lock is a queue, so that connections take turns.
            Some(pacer) => pacer.lock().await.next().await?,
            None => Instant::now(),
        };
        (due < self.until).then_some(due)
    }

    /// Counts a request by when it was answered, at a given rate by when it was due.
    fn record(&self, due: Instant, result: &Result<(), LoadError>) {
        let now = Instant::now();
        if result.is_ok() {
            self.answered.set(self.answered.get() + 1.0);
        }
        let counts = if self.pacer.is_some() { due } else { now };
        if counts < self.from || counts >= self.until {
            return;
        }
        let mut sample = self.sample.borrow_mut();
        match result {
            Ok(()) => {
                let nanos = (now - due).as_nanos().try_into().unwrap_or(u64::MAX);
                sample.latency.saturating_record(nanos);
                sample.requests += 1.0;
            }
            Err(error) => {
                sample.failed += 1;
                sample.failure.get_or_insert_with(|| error.to_string());
            }
        }
    }

    /// Counts bytes.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 bytes")]
    fn moved(&self, bytes: usize) {
        let now = Instant::now();
        let share = bytes as f64 / BULK_UNIT as f64;
        self.answered.set(self.answered.get() + share);
        if now >= self.from && now < self.until {
            self.sample.borrow_mut().requests += share;
        }
    }
}

/// Runs the load on this thread, in its network namespace. `at` is called at both ends of the window.
///
/// # Errors
/// When a connection can't be made before the load begins; later failures are counted.
pub fn run(load: &Load, at: impl FnMut(Edge)) -> Result<Sample, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, drive(load, at))
}

async fn drive(load: &Load, mut at: impl FnMut(Edge)) -> Result<Sample, LoadError> {
    let connections = connections::open(load).await?;
    let start = Instant::now();
    let pacer = load.case.rps.map(|rps| {
        let pacer = Pacer::start(Schedule::new(start, f64::from(rps)), u64::MAX)?;
        Ok::<_, io::Error>(Mutex::new(pacer))
    });
    let shared = Rc::new(Shared {
        pacer: pacer.transpose()?,
        from: start + load.warmup,
        until: start + load.warmup + load.window,
        sample: RefCell::new(Sample {
            latency: Histogram::new_with_max(MAX_LATENCY, 3).expect("the bounds are valid"),
            requests: 0.0,
            failed: 0,
            failure: None,
            between: 0.0,
            window: load.window,
        }),
        answered: Cell::default(),
        load: load.clone(),
    });
    let mut workers = JoinSet::new();
    for connection in connections {
        connection.work(&shared, &mut workers);
    }
    tokio::time::sleep_until(shared.from).await;
    let before = shared.answered.get();
    at(Edge::Start);
    tokio::time::sleep_until(shared.until).await;
    let between = shared.answered.get() - before;
    at(Edge::End);
    finish(workers, !load.case.is_bulk()).await;
    let mut sample = shared.sample.borrow().clone();
    sample.between = between;
    if let Some(rps) = load.case.rps {
        sample.miss(f64::from(rps) * load.window.as_secs_f64());
    }
    Ok(sample)
}

/// Waits for what is in flight: at a given rate its latency counts, and hundreds of requests that are cut off are an attack to some.
async fn finish(mut workers: JoinSet<()>, wait: bool) {
    if wait {
        let all = async { while workers.join_next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, all).await.ok();
    }
    workers.shutdown().await;
}
