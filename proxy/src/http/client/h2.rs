//! Shared HTTP/2 connections.
//!
//! One connection carries all requests to an endpoint until the peer's limit
//! of concurrent streams; then another is opened, because a stream that waits
//! for a long-lived one to end would wait for ever. Requests that arrive while
//! a connection is being made share that attempt, and its failure: one after the
//! other they would each wait for a connect timeout of their own. The first
//! request goes at once; the others wait until the peer has told its limit, since
//! what is beyond it would be refused (RFC 9113 section 5.1.2).
//!
//! A request that a server has certainly not seen goes on another connection
//! instead of failing: a server that stops does so just as requests are sent.

mod connection;

pub(super) use self::connection::StreamGuard;

use self::connection::{Connection, Pooled, Stream};
use super::{ClientSettings, Lease, Leased, SendError};
use crate::{
    http::{
        body::{Frames, Kept, Observed, RequestBody},
        error::BoxError,
    },
    transport::connect::{Connector, Session},
};
use http::{Request, Response};
use hyper::{body::Incoming, client::conn::TrySendError};
use std::sync::Arc;
use tokio::time::{Instant, timeout};

/// How often a request that no server has seen is sent again on a new connection.
const MAX_UNSEEN: usize = 1;

/// Connections to one endpoint. A peer that allows fewer streams than it is
/// asked for must not make us open one connection per request without end.
const MAX_CONNECTIONS: usize = 256;

#[derive(Debug)]
pub(super) struct H2Pool {
    connector: Arc<Connector>,
    settings: Arc<ClientSettings>,
    connections: Pooled,
    /// Held while connecting and until the peer's settings are there, so that
    /// one connection is made at a time; the last failure, for those who waited.
    connecting: Arc<tokio::sync::Mutex<Option<(Instant, Failure)>>>,
}

/// Why a connection that several requests waited for was not made.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(#[source] Arc<BoxError>);

/// The peer allows too few streams for the requests there are.
#[derive(Debug, thiserror::Error)]
#[error("all streams of {MAX_CONNECTIONS} HTTP/2 connections are in use")]
struct NoStreams;

impl H2Pool {
    pub(super) fn new(connector: Arc<Connector>, settings: Arc<ClientSettings>) -> Self {
        Self {
            connector,
            settings,
            connections: Arc::default(),
            connecting: Arc::default(),
        }
    }

    pub(super) async fn warm(&self) -> Result<(), BoxError> {
        self.stream().await.map(drop)
    }

    pub(super) async fn send(
        &self,
        mut req: Request<RequestBody>,
    ) -> Result<Response<Leased>, Box<SendError>> {
        let mut unseen = 0;
        loop {
            let mut stream = match self.stream().await {
                Ok(stream) => stream,
                Err(cause) => return Err(SendError::connect(req, cause)),
            };
            let kept = Kept::of(&req);
            let error = match stream.sender.try_send_request(req).await {
                Ok(rsp) => {
                    return Ok(rsp.map(|body| Observed::new(body, Lease::H2(stream.guard))));
                }
                Err(error) => failed(error, kept),
            };
            if error.unsent.is_some() {
                self.forget(&stream.guard);
            }
            // A pool may hold any number of connections that are about to close.
            unseen += usize::from(!stream.reused);
            match *error {
                SendError {
                    unsent: Some(unsent),
                    ..
                } if unseen <= MAX_UNSEEN => req = unsent,
                error => return Err(Box::new(error)),
            }
        }
    }

    /// No more streams on this connection: it is closing.
    fn forget(&self, guard: &StreamGuard) {
        self.connections.lock().retain(|c| !guard.is_of(c));
    }

    async fn stream(&self) -> Result<Stream, BoxError> {
        match self.open() {
            Some(stream) => Ok(stream),
            // In a box: rare, and large beside the rest of a request's future.
            None => Box::pin(self.new_stream()).await,
        }
    }

    /// A stream on a connection that is made now, or by another request meanwhile.
    async fn new_stream(&self) -> Result<Stream, BoxError> {
        let asked = Instant::now();
        let mut connecting = self.connecting.clone().lock_owned().await;
        // Another request may have connected while this one waited, or failed to.
        if let Some(stream) = self.open() {
            return Ok(stream);
        }
        if let Some((at, failure)) = &*connecting
            && *at >= asked
        {
            return Err(failure.clone().into());
        }
        let (stream, settled) = match self.connect().await {
            Ok(made) => made,
            Err(cause) => {
                let failure = Failure(Arc::new(cause));
                *connecting = Some((Instant::now(), failure.clone()));
                return Err(failure.into());
            }
        };
        let patience = self.connector.timeout;
        tokio::spawn(async move {
            let _connecting = connecting;
            // Ends as well when the connection does, and when the peer is silent.
            let _told = timeout(patience, settled).await;
        });
        Ok(stream)
    }

    /// A stream on a connection that has room, if there is one.
    fn open(&self) -> Option<Stream> {
        let mut connections = self.connections.lock();
        if connections.iter().any(Connection::is_closed) {
            connections.retain(|c| !c.is_closed());
        }
        connections
            .iter()
            .find(|c| c.has_room())
            .map(|c| c.stream(true))
    }

    /// A stream on a new connection, and what ends when the peer has told its settings.
    async fn connect(&self) -> Result<(Stream, connection::Settled), BoxError> {
        if self.connections.lock().len() >= MAX_CONNECTIONS {
            return Err(NoStreams.into());
        }
        let io = self.connector.connect(Session::Http2).await?;
        let pool = Arc::downgrade(&self.connections);
        let (connection, settled) = Connection::start(io, &self.settings.h2, pool).await?;
        let stream = connection.stream(false);
        self.connections.lock().push(connection);
        Ok((stream, settled))
    }
}

/// The error of a request that was kept: gives it back if the server has not
/// seen it.
fn failed(
    error: TrySendError<Request<RequestBody>>,
    kept: Kept<Observed<Incoming, Frames>>,
) -> Box<SendError> {
    let unseen = is_unseen(error.error());
    let mut error = SendError::send(error);
    if error.unsent.is_none() && unseen {
        error.unsent = kept.again();
    }
    error
}

/// Whether the server said, in a GOAWAY or by refusing the stream, that it has
/// not processed it (RFC 9113 section 8.7). h2 gives the first error to no other
/// stream, and to none that is answered.
fn is_unseen(error: &hyper::Error) -> bool {
    let h2 = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    h2.is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (error.is_go_away() || error.is_reset() && refused)
    })
}
