//! Shared HTTP/2 connections.
//!
//! One connection carries all requests to an endpoint until the peer's limit
//! of concurrent streams; then another is opened, because a stream that waits
//! for a long-lived one to end would wait for ever. Requests that arrive while
//! the first connection is being made share that attempt. The first request
//! goes at once; the others wait until the peer has told its limit, since what
//! is beyond it would be refused (RFC 9113 section 5.1.2).

use super::{ClientResponse, ClientSettings, Lease, SendError};
use crate::{
    http::{
        body::{Observed, RequestBody},
        error::BoxError,
    },
    transport::{
        self,
        connect::{Connector, Session},
    },
};
use futures::future::poll_fn;
use http::Request;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::oneshot,
    time::{MissedTickBehavior, timeout},
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
    TokioExecutor,
>;

#[derive(Debug)]
pub(super) struct H2Pool {
    connector: Arc<Connector>,
    settings: Arc<ClientSettings>,
    connections: Mutex<Vec<Connection>>,
    /// Held while connecting and until the peer's settings are there, so that
    /// one connection is made at a time.
    connecting: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Debug)]
struct Connection {
    sender: SendRequest<RequestBody>,
    /// Streams open now.
    streams: Arc<AtomicUsize>,
    /// Streams the peer allows; one until it has told.
    limit: Arc<AtomicUsize>,
}

/// One open stream of a connection.
#[derive(Debug)]
pub struct StreamGuard {
    streams: Option<Arc<AtomicUsize>>,
}

impl H2Pool {
    pub(super) fn new(connector: Arc<Connector>, settings: Arc<ClientSettings>) -> Self {
        Self {
            connector,
            settings,
            connections: Mutex::default(),
            connecting: Arc::default(),
        }
    }

    pub(super) async fn warm(&self) -> Result<(), BoxError> {
        self.lease().await.map(drop)
    }

    pub(super) async fn send(
        &self,
        req: Request<RequestBody>,
    ) -> Result<ClientResponse, Box<SendError>> {
        let (mut sender, guard) = match self.lease().await {
            Ok(lease) => lease,
            Err(cause) => return Err(SendError::connect(req, cause)),
        };
        match sender.try_send_request(req).await {
            Ok(rsp) => Ok(rsp.map(|body| Observed::new(body, Lease::H2(guard)))),
            Err(error) => Err(SendError::send(error)),
        }
    }

    async fn lease(&self) -> Result<(SendRequest<RequestBody>, StreamGuard), BoxError> {
        if let Some(lease) = self.open() {
            return Ok(lease);
        }
        let connecting = self.connecting.clone().lock_owned().await;
        // Another request may have connected while this one waited.
        if let Some(lease) = self.open() {
            return Ok(lease);
        }
        let (connection, settled) = self.connect().await?;
        let lease = connection.lease();
        self.connections.lock().push(connection);
        let patience = self.connector.timeout;
        tokio::spawn(async move {
            let _connecting = connecting;
            // Ends as well when the connection does, and when the peer is silent.
            let _told = timeout(patience, settled).await;
        });
        Ok(lease)
    }

    /// A stream on a connection that has room, if there is one.
    fn open(&self) -> Option<(SendRequest<RequestBody>, StreamGuard)> {
        let mut connections = self.connections.lock();
        if connections.iter().any(|c| c.sender.is_closed()) {
            connections.retain(|c| !c.sender.is_closed());
        }
        connections
            .iter()
            .find(|c| c.has_room())
            .map(Connection::lease)
    }

    /// A new connection, and what ends when the peer has told its settings.
    async fn connect(&self) -> Result<(Connection, oneshot::Receiver<()>), BoxError> {
        let io = self.connector.connect(Session::Http2).await?;
        let h2 = &self.settings.h2;
        let (sender, driver) = Builder::new(TokioExecutor::new())
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
            .await?;
        let limit = Arc::new(AtomicUsize::new(1));
        let (settle, settled) = oneshot::channel();
        tokio::spawn(drive(driver, limit.clone(), settle));
        let connection = Connection {
            sender,
            streams: Arc::default(),
            limit,
        };
        Ok((connection, settled))
    }
}

/// Drives a connection to its end and keeps its `limit` as the peer tells it;
/// drops `settle` when it was told for the first time.
async fn drive(driver: Driver, limit: Arc<AtomicUsize>, settle: oneshot::Sender<()>) {
    let mut driver = pin!(driver);
    let mut settle = Some(settle);
    let mut look = tokio::time::interval(LOOK_AGAIN);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let result = poll_fn(|cx| {
        let polled = driver.as_mut().poll(cx);
        // Also seen at each request, and so kept up to date.
        let max = driver.current_max_send_streams();
        if max != UNTOLD {
            limit.store(max, Relaxed);
            settle = None;
        }
        // Until then, as long as somebody waits for it.
        while settle.as_ref().is_some_and(|settle| !settle.is_closed())
            && look.poll_tick(cx).is_ready()
        {}
        polled
    });
    if let Err(error) = result.await {
        tracing::debug!(%error, "HTTP/2 connection failed");
    }
}

impl Connection {
    fn has_room(&self) -> bool {
        self.streams.load(Relaxed) < self.limit.load(Relaxed)
    }

    fn lease(&self) -> (SendRequest<RequestBody>, StreamGuard) {
        self.streams.fetch_add(1, Relaxed);
        let streams = Some(self.streams.clone());
        (self.sender.clone(), StreamGuard { streams })
    }
}

impl StreamGuard {
    pub(super) fn release(&mut self) {
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
