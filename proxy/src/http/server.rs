//! Serving one accepted connection as HTTP.
//!
//! Everything a client controls has a limit here: time to send a head, its
//! size and number of fields, concurrent streams, resets per second. An HTTP/1
//! connection is read through [`Guarded`], because hyper alone accepts framing
//! that two parsers may read differently (RFC 9112 section 11.2).

mod patience;
mod resets;
mod truncation;

use self::{
    patience::Patience,
    resets::{CountResets, Resets},
    truncation::{Breakable, Truncation},
};
use super::{
    Version,
    framing::Guarded,
    one_task::{OneTask, Spawned},
};
use crate::{config::H2ServerSettings, drain, limits::TooManyResets, transport::io::BoxIo};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{error::Error as _, sync::Arc, time::Duration};
use tower_service::Service;

/// What an HTTP/1 connection is read from and written to.
pub type ServerIo = Guarded<Breakable>;

/// Limits on what a client may do to an HTTP server connection.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// A request head must be complete in this time.
    pub header_read_timeout: Duration,
    /// Bytes of a request head.
    pub max_header_bytes: usize,
    /// Fields of a request head.
    pub max_headers: usize,
    /// HTTP/2 streams a client may reset per second before it is cut off; all
    /// that it may have open at once, after a while without.
    pub max_resets_per_second: u32,
    /// HTTP/2.
    pub h2: H2ServerSettings,
}

/// Why a connection ended other than by being done.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// hyper gave up: a broken message, a reset, a timeout.
    #[error(transparent)]
    Hyper(#[from] hyper::Error),
    /// A request that two parsers may read differently; it was answered 400.
    #[error("the client sent a request that must be refused: {0}")]
    Framing(&'static str),
    /// More resets per second than allowed ("rapid reset", CVE-2023-44487).
    #[error(transparent)]
    TooManyResets(#[from] TooManyResets),
    /// The proxy stops and the grace period is over.
    #[error(transparent)]
    Forced(#[from] drain::Forced),
}

/// What answers the requests of a connection: a stack of layers that has turned
/// its errors into answers, all but the resets that are passed on.
pub trait Stack<B>:
    Service<Request<Incoming>, Response = Response<B>, Error = h2::Error, Future: Send + 'static>
    + Clone
    + Send
    + 'static
{
}

impl<S, B> Stack<B> for S where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error = h2::Error,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static
{
}

/// A stack as hyper's service. It is always ready, so there is no future that
/// waits for that and holds stack and request meanwhile.
#[derive(Clone)]
struct AlwaysReady<S>(S);

impl<S> hyper::service::Service<Request<Incoming>> for AlwaysReady<S>
where
    S: Service<Request<Incoming>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, req: Request<Incoming>) -> S::Future {
        self.0.clone().call(req)
    }
}

impl ServeError {
    /// Whether the client reset too many streams: more in a second than we allow,
    /// or more in a row than h2 does before it has even told us of them.
    pub fn is_reset_flood(&self) -> bool {
        match self {
            Self::TooManyResets(_) => true,
            Self::Hyper(error) => {
                let h2 = error.source().and_then(|source| source.downcast_ref());
                h2.is_some_and(|error: &h2::Error| {
                    error.is_library() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
                })
            }
            Self::Framing(_) | Self::Forced(_) => false,
        }
    }
}

/// Serves requests of `io` by `service` until the client or a drain ends it.
///
/// The stream is boxed: hyper's and h2's servers are large and generic over it,
/// so that each kind of stream would be another 50 kB or more of them. So are the
/// connections: a task would have room for several copies of the larger of both.
///
/// # Errors
/// [`ServeError`]; the client has been answered as far as that was possible.
pub async fn serve<S, B>(
    io: BoxIo,
    version: Version,
    service: S,
    settings: &ServerSettings,
    drain: drain::Watch,
) -> Result<(), ServeError>
where
    S: Stack<B>,
    B: Body<Data = Bytes, Error = hyper::Error> + Send + 'static,
{
    match version {
        Version::Http1 => serve_h1(io, service, settings, drain).await,
        Version::H2 => serve_h2(io, service, settings, drain).await,
    }
}

async fn serve_h1<S, B>(
    io: BoxIo,
    service: S,
    settings: &ServerSettings,
    drain: drain::Watch,
) -> Result<(), ServeError>
where
    S: Stack<B>,
    B: Body<Data = Bytes, Error = hyper::Error> + Send + 'static,
{
    let truncation = Truncation::default();
    let (io, guard) = Guarded::new(Breakable::new(io, &truncation));
    let service = truncation.watch(guard.watch(AlwaysReady(service)));
    let connection = conn::http1::Builder::new()
        .timer(Patience::default())
        .header_read_timeout(settings.header_read_timeout)
        .max_headers(settings.max_headers)
        .max_buf_size(settings.max_header_bytes.max(8192))
        // The application's date, or none, is what the client is to see.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let served = drain
        .run(Box::pin(connection), |connection| {
            connection.get_mut().as_mut().graceful_shutdown();
        })
        .await?;
    match guard.violation() {
        Some(reason) => Err(ServeError::Framing(reason)),
        None => Ok(served?),
    }
}

async fn serve_h2<S, B>(
    io: BoxIo,
    service: S,
    settings: &ServerSettings,
    drain: drain::Watch,
) -> Result<(), ServeError>
where
    S: Stack<B>,
    B: Body<Data = Bytes, Error = hyper::Error> + Send + 'static,
{
    let resets = Arc::new(Resets::new(
        settings.max_resets_per_second,
        settings.h2.max_concurrent_streams,
    ));
    let service = CountResets {
        inner: service,
        resets: resets.clone(),
    };
    let limits = &settings.h2;
    let h2 = &limits.common;
    let spawned = Spawned::default();
    let connection = conn::http2::Builder::new(spawned.clone())
        .timer(TokioTimer::new())
        .initial_stream_window_size(h2.initial_stream_window)
        .initial_connection_window_size(h2.initial_connection_window)
        .adaptive_window(h2.adaptive_window)
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_frame_size(h2.max_frame_size)
        .max_header_list_size(h2.max_header_list_size)
        .max_pending_accept_reset_streams(limits.max_pending_accept_reset_streams)
        .max_send_buf_size(h2.max_send_buffer)
        .keep_alive_interval(h2.keepalive.map(|keepalive| keepalive.interval))
        .keep_alive_timeout(
            h2.keepalive
                .map_or(Duration::MAX, |keepalive| keepalive.timeout),
        )
        .auto_date_header(false)
        .serve_connection(TokioIo::new(io), AlwaysReady(service));
    let task = Box::pin(OneTask::new(connection, spawned));
    let served = drain.run(task, |task| {
        if let Some(connection) = task.get_mut().as_mut().connection() {
            connection.graceful_shutdown();
        }
    });
    tokio::select! {
        biased;
        result = served => Ok(result??),
        error = resets.exceeded() => Err(error.into()),
    }
}
