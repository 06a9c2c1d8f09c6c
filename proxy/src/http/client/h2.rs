//! Shared HTTP/2 connections.
//!
//! One connection carries all requests to an endpoint until the peer's limit
//! of concurrent streams; then another is opened, because a stream that waits
//! for a long-lived one to end would wait for ever. Requests that arrive while
//! the first connection is being made share that attempt.

use super::{ClientResponse, ClientSettings, Lease, SendError};
use crate::{
    http::{
        body::{Observed, RequestBody},
        error::BoxError,
    },
    transport::connect::{Connector, Session},
};
use futures::future::poll_fn;
use http::Request;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// For the timeout of pings that are never sent.
const NEVER: Duration = Duration::MAX;

#[derive(Debug)]
pub(super) struct H2Pool {
    connector: Arc<Connector>,
    settings: Arc<ClientSettings>,
    connections: Mutex<Vec<Connection>>,
    /// Held while connecting, so that one connection is made at a time.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Connection {
    sender: SendRequest<RequestBody>,
    /// Streams open now.
    streams: Arc<AtomicUsize>,
    /// Streams the peer allows.
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
            connecting: tokio::sync::Mutex::default(),
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
        let _connecting = self.connecting.lock().await;
        // Another request may have connected while this one waited.
        if let Some(lease) = self.open() {
            return Ok(lease);
        }
        let connection = self.connect().await?;
        let lease = connection.lease();
        self.connections.lock().push(connection);
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

    async fn connect(&self) -> Result<Connection, BoxError> {
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
            .keep_alive_interval(h2.keepalive.map(|keepalive| keepalive.interval))
            .keep_alive_timeout(h2.keepalive.map_or(NEVER, |keepalive| keepalive.timeout))
            .handshake(TokioIo::new(io))
            .await?;
        let limit = Arc::new(AtomicUsize::new(driver.current_max_send_streams()));
        let mut driver = Box::pin(driver);
        let told = limit.clone();
        tokio::spawn(async move {
            let result = poll_fn(|cx| {
                let polled = driver.as_mut().poll(cx);
                // The peer's settings arrive here and may change.
                told.store(driver.current_max_send_streams(), Relaxed);
                polled
            });
            if let Err(error) = result.await {
                tracing::debug!(%error, "HTTP/2 connection failed");
            }
        });
        Ok(Connection {
            sender,
            streams: Arc::default(),
            limit,
        })
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
