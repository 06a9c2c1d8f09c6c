//! Idle HTTP/1.1 connections, newest first.
//!
//! What is in the list can be used at once. A connection whose response ended
//! before its request did is no such: the server may leave the rest of an upload
//! in the network for as long as it likes, and nobody else may wait for that.

use super::{ClientSettings, Lease, Leased, SendError, answer};
use crate::{
    http::{
        body::{Observed, RequestBody},
        error::BoxError,
        headers,
    },
    transport::connect::{Connector, Session},
};
use http::{HeaderValue, Method, Request, Response, header::TRANSFER_ENCODING};
use http_body::Body;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct H1Pool {
    connector: Arc<Connector>,
    settings: Arc<ClientSettings>,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    connections: Vec<(SendRequest<RequestBody>, Instant)>,
    /// A sweeper runs while there is something to sweep.
    swept: bool,
}

/// A connection on loan to a response.
#[derive(Debug)]
pub struct Returning {
    connection: Option<(Weak<H1Pool>, SendRequest<RequestBody>)>,
}

impl H1Pool {
    pub(super) fn new(connector: Arc<Connector>, settings: Arc<ClientSettings>) -> Self {
        Self {
            connector,
            settings,
            idle: Mutex::default(),
        }
    }

    pub(super) async fn warm(self: &Arc<Self>) -> Result<(), BoxError> {
        let mut connection = self.connect().await?;
        connection.ready().await?;
        self.keep(connection);
        Ok(())
    }

    pub(super) async fn send(
        self: &Arc<Self>,
        mut req: Request<RequestBody>,
    ) -> Result<Response<Leased>, Box<SendError>> {
        let upgrading = headers::is_upgrade(&req);
        let single_use = upgrading || req.version() == http::Version::HTTP_10;
        frame(&mut req);
        loop {
            let (mut connection, reused) = match self.take() {
                Some(connection) => (connection, true),
                // In a box: rare, and large beside the rest of a request's future.
                None => match Box::pin(self.connect()).await {
                    Ok(connection) => (connection, false),
                    Err(cause) => return Err(SendError::connect(req, cause)),
                },
            };
            let error = match connection.try_send_request(req).await {
                Ok(mut rsp) => {
                    answer::settle(&mut rsp, upgrading).map_err(SendError::answer)?;
                    let lease = Returning::new(self, connection, single_use);
                    return Ok(rsp.map(|body| Observed::new(body, Lease::H1(lease))));
                }
                Err(error) => SendError::send(error),
            };
            // A server may close an idle connection just as it is taken: what
            // was not written goes on the next one.
            match *error {
                SendError {
                    unsent: Some(unsent),
                    ..
                } if reused => req = unsent,
                error => return Err(Box::new(error)),
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, BoxError> {
        let io = self.connector.connect(Session::Http1).await?;
        let (connection, driver) = Builder::new()
            .max_headers(self.settings.max_headers)
            .max_buf_size(self.settings.max_header_bytes.max(8192))
            .handshake(TokioIo::new(io))
            .await?;
        tokio::spawn(async move {
            if let Err(error) = driver.with_upgrades().await {
                tracing::debug!(%error, "HTTP/1 connection failed");
            }
        });
        Ok(connection)
    }

    /// The newest idle connection that still lives and is not too old, whether
    /// the sweeper has come by or not.
    fn take(&self) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.idle.lock();
        while let Some((connection, since)) = idle.connections.pop() {
            if since.elapsed() >= self.settings.idle_timeout {
                // The others are older.
                idle.connections.clear();
            } else if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes a connection back after a response, at once if its request has
    /// ended too, as nearly always.
    fn put(self: &Arc<Self>, mut connection: SendRequest<RequestBody>) {
        if connection.is_ready() {
            self.keep(connection);
        } else if !connection.is_closed() {
            let pool = Arc::downgrade(self);
            tokio::spawn(async move {
                if connection.ready().await.is_ok()
                    && let Some(pool) = pool.upgrade()
                {
                    pool.keep(connection);
                }
            });
        }
    }

    fn keep(self: &Arc<Self>, connection: SendRequest<RequestBody>) {
        let mut idle = self.idle.lock();
        if idle.connections.len() >= self.settings.max_idle {
            return;
        }
        idle.connections.push((connection, Instant::now()));
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), self.settings.idle_timeout));
        }
    }

    /// Drops what was idle too long; false when nothing is left to sweep.
    fn sweep(&self) -> bool {
        let mut idle = self.idle.lock();
        let timeout = self.settings.idle_timeout;
        idle.connections
            .retain(|(connection, since)| !connection.is_closed() && since.elapsed() < timeout);
        idle.swept = !idle.connections.is_empty();
        idle.swept
    }
}

/// Has a body of unknown length sent in chunks, whatever the method: unless it is
/// told, hyper takes GET and HEAD to have none and drops it.
fn frame(req: &mut Request<RequestBody>) {
    let body = req.body();
    let unknown = !body.is_end_stream() && body.size_hint().exact().is_none();
    if unknown && req.version() == http::Version::HTTP_11 && req.method() != Method::CONNECT {
        let chunked = HeaderValue::from_static("chunked");
        req.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
}

async fn sweep(pool: Weak<H1Pool>, interval: std::time::Duration) {
    loop {
        tokio::time::sleep(interval).await;
        match pool.upgrade() {
            Some(pool) if pool.sweep() => {}
            _ => return,
        }
    }
}

impl Returning {
    fn new(pool: &Arc<H1Pool>, connection: SendRequest<RequestBody>, single_use: bool) -> Self {
        Self {
            connection: (!single_use).then(|| (Arc::downgrade(pool), connection)),
        }
    }

    pub(super) fn end(&mut self, complete: bool) {
        if let Some((pool, connection)) = self.connection.take()
            && complete
            && let Some(pool) = pool.upgrade()
        {
            pool.put(connection);
        }
    }
}
