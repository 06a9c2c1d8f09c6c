//! One endpoint's HTTP client: pooled HTTP/1 connections and shared HTTP/2 ones.
//!
//! hyper-util's pooled client looks endpoints up by authority for every request
//! and spawns a task to give a connection back. Here the endpoint is known, so
//! a request takes a connection from a list and its body puts it back at its
//! end. A request that certainly was not sent (no connection could be made, or
//! the connection closed first) comes back with the error, so that the balancer
//! can try another endpoint without having kept a copy.

mod answer;
mod h1;
mod h2;

pub use answer::AnswerError;

use self::{h1::H1Pool, h2::H2Pool};
use super::{
    Version,
    body::{Begun, End, Observe, Observed, RequestBody},
    error::{BoxError, Kind},
    framing::Violation,
};
use crate::{
    config::H2ClientSettings,
    transport::connect::{ConnectError, Connector},
};
use http::{Request, Response};
use hyper::body::Incoming;
use std::{error::Error as _, sync::Arc, time::Duration};

/// Limits and habits of a client's connections.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// How long an HTTP/1 connection may stay idle before it is closed; below
    /// what servers use, so that they rarely close one under a request.
    pub idle_timeout: Duration,
    /// Idle HTTP/1 connections kept.
    pub max_idle: usize,
    /// Bytes of a response head, and number of its fields.
    pub max_header_bytes: usize,
    /// Fields of a response head.
    pub max_headers: usize,
    /// HTTP/2.
    pub h2: H2ClientSettings,
}

/// A response with the connection it came on.
pub type ClientResponse = Response<ClientBody>;

/// Its body, whose end gives the connection back.
pub type ClientBody = Begun<Leased>;

type Leased = Observed<Incoming, Lease>;

/// A client of one endpoint; clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    h1: Arc<H1Pool>,
    h2: H2Pool,
}

/// A request that got no response.
#[derive(Debug)]
pub struct SendError {
    /// Why.
    pub cause: BoxError,
    /// What was being done.
    pub stage: Stage,
    /// The request, when it certainly was not sent.
    pub unsent: Option<Request<RequestBody>>,
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No connection.
    Connect,
    /// A connection, but no response.
    Send,
}

/// Holds the connection of a response until its body ends.
#[derive(Debug)]
pub enum Lease {
    /// Returned to the pool after a complete body, else closed.
    H1(h1::Returning),
    /// Frees a stream of the connection.
    H2(h2::StreamGuard),
}

impl Client {
    /// A client that connects by `connector`, lazily.
    pub fn new(connector: Connector, settings: ClientSettings) -> Self {
        let connector = Arc::new(connector);
        let settings = Arc::new(settings);
        Self {
            inner: Arc::new(Inner {
                h1: Arc::new(H1Pool::new(connector.clone(), settings.clone())),
                h2: H2Pool::new(connector, settings),
            }),
        }
    }

    /// Connects, so that the next request of that version finds a connection.
    ///
    /// # Errors
    /// Why no connection could be made.
    pub async fn warm(&self, version: Version) -> Result<(), BoxError> {
        match version {
            Version::Http1 => self.inner.h1.warm().await,
            Version::H2 => self.inner.h2.warm().await,
        }
    }

    /// Sends `req` with the version of its connection, `via`.
    ///
    /// # Errors
    /// [`SendError`], with the request if it was not sent.
    pub async fn send(
        &self,
        req: Request<RequestBody>,
        via: Version,
    ) -> Result<ClientResponse, Box<SendError>> {
        let rsp = match via {
            Version::Http1 => self.inner.h1.send(req).await,
            Version::H2 => self.inner.h2.send(req).await,
        };
        Begun::of(rsp?).await.map_err(SendError::answer)
    }
}

/// Whether hyper gave up because the body that it was to send failed: it says so
/// itself over HTTP/1, and over HTTP/2 resets the stream.
fn is_own_body(error: &hyper::Error) -> bool {
    let h2 = error.source().and_then(|source| source.downcast_ref());
    let reset = |h2: &::h2::Error| h2.is_reset() && !h2.is_remote() && !h2.is_library();
    error.is_user() || h2.is_some_and(reset)
}

impl Observe for Lease {
    fn data(&mut self, _: usize) {}

    fn end(&mut self, end: End<'_>) {
        match self {
            Self::H1(returning) => returning.end(matches!(end, End::Complete(_))),
            Self::H2(guard) => guard.release(),
        }
    }
}

impl SendError {
    /// The row of the error table, and where it happened.
    pub fn kind(&self) -> (Kind, &'static str) {
        match self.stage {
            Stage::Connect if ConnectError::is_loop(&*self.cause) => (Kind::Loop, "connect"),
            Stage::Connect => (Kind::Connect, "connect"),
            // The connection closed before the request was written to it.
            Stage::Send if self.unsent.is_some() => (Kind::Connect, "request"),
            // The request's own body may be what can't be sent.
            Stage::Send if self.is_of_request() => (Kind::BadRequest, "request"),
            Stage::Send => (Kind::Upstream, "request"),
        }
    }

    /// Whether the request's body broke HTTP, or broke off.
    fn is_of_request(&self) -> bool {
        Violation::in_error(&*self.cause).is_some()
            || self.cause.downcast_ref().is_some_and(is_own_body)
    }

    fn connect(req: Request<RequestBody>, cause: BoxError) -> Box<Self> {
        // A loop does not end by another attempt.
        let unsent = (!ConnectError::is_loop(&*cause)).then_some(req);
        Box::new(Self {
            cause,
            stage: Stage::Connect,
            unsent,
        })
    }

    /// The answer failed with its head, or can't be passed on.
    fn answer(cause: impl Into<BoxError>) -> Box<Self> {
        Box::new(Self {
            unsent: None,
            cause: cause.into(),
            stage: Stage::Send,
        })
    }

    fn send(mut error: hyper::client::conn::TrySendError<Request<RequestBody>>) -> Box<Self> {
        Box::new(Self {
            unsent: error.take_message(),
            cause: error.into_error().into(),
            stage: Stage::Send,
        })
    }
}
