//! One HTTP/2 connection to an endpoint, and the task that drives it.
//!
//! A connection that is old takes no more requests and ends with those it has.
//! One that lives for ever keeps the certificate it began with, and ties a client
//! to whichever of several processes behind one address it met first; Linkerd's
//! never age. The age is drawn for each, or all would be made anew at once.

use crate::{
    config::H2ClientSettings,
    http::{
        body::RequestBody,
        one_task::{OneTask, Spawned},
    },
    transport,
};
use futures::future::poll_fn;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use rand::Rng as _;
use std::{
    pin::{Pin, pin},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, Sleep, sleep},
};

/// For the timeout of pings that are never sent.
const NEVER: Duration = Duration::MAX;

/// A limit that no peer can tell: the field has 32 bits, and none is the maximum.
const UNTOLD: usize = usize::MAX - 1;

/// hyper reads from a connection in a task of its own and does not say when the
/// peer's settings have come, one round trip after it was made: look so often.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

type Driver = hyper::client::conn::http2::Connection<
    TokioIo<transport::connect::Connection>,
    RequestBody,
    Spawned,
>;

/// The connections of a pool.
pub(super) type Pooled = Arc<Mutex<Vec<Connection>>>;

/// Ends when the peer has told its settings, or the connection is gone.
pub(super) type Settled = oneshot::Receiver<()>;

#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    /// Streams open now.
    streams: Arc<AtomicUsize>,
    /// Streams it takes: what the peer allows (one until it has told) and our
    /// window has room for.
    limit: Arc<AtomicUsize>,
}

/// A stream to be opened.
pub(super) struct Stream {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) guard: StreamGuard,
    /// On a connection that was there before.
    pub(super) reused: bool,
}

/// One open stream of a connection.
#[derive(Debug)]
pub struct StreamGuard {
    streams: Option<Arc<AtomicUsize>>,
}

/// What is done beside driving a connection.
struct Driven {
    /// Kept as the peer tells it, at most `room`.
    limit: Arc<AtomicUsize>,
    room: usize,
    /// Dropped when it was told for the first time.
    settle: Option<oneshot::Sender<()>>,
    /// Over when the connection is to take no more requests.
    age: Option<Pin<Box<Sleep>>>,
    /// Where it is taken from then.
    pool: Weak<Mutex<Vec<Connection>>>,
}

impl Connection {
    /// Starts HTTP/2 on `io` and a task that drives it. It leaves `pool` when it is old.
    pub(super) async fn start(
        io: transport::connect::Connection,
        settings: &H2ClientSettings,
        pool: Weak<Mutex<Vec<Self>>>,
    ) -> hyper::Result<(Self, Settled)> {
        let spawned = Spawned::default();
        let (sender, driver) = handshake(io, settings, spawned.clone()).await?;
        let limit = Arc::new(AtomicUsize::new(1));
        let (settle, settled) = oneshot::channel();
        let driven = Driven {
            limit: limit.clone(),
            room: settings.common.streams(),
            settle: Some(settle),
            age: settings.max_age.map(|max| Box::pin(sleep(age(max)))),
            pool,
        };
        tokio::spawn(driven.drive(OneTask::new(driver, spawned)));
        let connection = Self {
            sender,
            streams: Arc::default(),
            limit,
        };
        Ok((connection, settled))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) fn has_room(&self) -> bool {
        self.streams.load(Relaxed) < self.limit.load(Relaxed)
    }

    pub(super) fn stream(&self, reused: bool) -> Stream {
        self.streams.fetch_add(1, Relaxed);
        let streams = Some(self.streams.clone());
        Stream {
            sender: self.sender.clone(),
            guard: StreamGuard { streams },
            reused,
        }
    }
}

async fn handshake(
    io: transport::connect::Connection,
    settings: &H2ClientSettings,
    spawned: Spawned,
) -> hyper::Result<(SendRequest<RequestBody>, Driver)> {
    let h2 = &settings.common;
    Builder::new(spawned)
        .timer(TokioTimer::new())
        .initial_stream_window_size(h2.initial_stream_window)
        .initial_connection_window_size(h2.initial_connection_window)
        .adaptive_window(h2.adaptive_window)
        .max_frame_size(h2.max_frame_size)
        .max_header_list_size(h2.max_header_list_size)
        .max_send_buf_size(h2.max_send_buffer)
        .initial_max_send_streams(UNTOLD)
        .keep_alive_interval(h2.keepalive.map(|keepalive| keepalive.interval))
        .keep_alive_timeout(h2.keepalive.map_or(NEVER, |keepalive| keepalive.timeout))
        .handshake(TokioIo::new(io))
        .await
}

/// How old one connection may become: up to a tenth less than `max`.
fn age(max: Duration) -> Duration {
    max.mul_f64(1.0 - rand::rng().random_range(0.0..0.1))
}

impl Driven {
    /// Drives a connection to its end.
    async fn drive(mut self, driver: OneTask<Driver>) {
        let mut driver = pin!(driver);
        let mut look = tokio::time::interval(LOOK_AGAIN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let result = poll_fn(|cx| {
            if let Some(age) = &mut self.age
                && age.as_mut().poll(cx).is_ready()
            {
                self.retire();
            }
            let polled = driver.as_mut().poll(cx);
            // Also seen at each request, and so kept up to date.
            match driver.as_mut().connection() {
                Some(driver) => self.told(driver.current_max_send_streams()),
                None => self.settle = None,
            }
            // Until then, as long as somebody waits for it.
            while self.is_awaited() && look.poll_tick(cx).is_ready() {}
            polled
        });
        if let Err(error) = result.await {
            tracing::debug!(%error, "HTTP/2 connection failed");
        }
    }

    fn told(&mut self, max: usize) {
        if max != UNTOLD {
            self.limit.store(max.min(self.room), Relaxed);
            self.settle = None;
        }
    }

    fn is_awaited(&self) -> bool {
        let settle = self.settle.as_ref();
        settle.is_some_and(|settle| !settle.is_closed())
    }

    /// Without a sender in the pool, hyper ends the connection with its last stream.
    fn retire(&mut self) {
        self.age = None;
        if let Some(pool) = self.pool.upgrade() {
            pool.lock().retain(|c| !Arc::ptr_eq(&c.limit, &self.limit));
        }
    }
}

impl StreamGuard {
    pub(super) fn is_of(&self, connection: &Connection) -> bool {
        let streams = self.streams.as_ref();
        streams.is_some_and(|streams| Arc::ptr_eq(streams, &connection.streams))
    }

    /// The stream ended.
    pub fn release(&mut self) {
        if let Some(streams) = self.streams.take() {
            streams.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        self.release();
    }
}
