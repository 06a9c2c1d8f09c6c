//! One GET, for the admin endpoints of the demo's processes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Long enough for a busy laptop, short enough that a hung process is noticed.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why no response came.
#[derive(Debug, Error)]
pub enum GetError {
    /// No connection.
    #[error("{0}")]
    Connect(#[from] std::io::Error),
    /// A connection that broke, or something that is no HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// Five seconds are over.
    #[error("no answer within {TIMEOUT:?}")]
    Timeout(#[from] tokio::time::error::Elapsed),
}

/// Fetches `path` from `addr` over a connection of its own.
///
/// # Errors
/// When no response came; one that tells of a failure is a response.
pub async fn get(addr: SocketAddr, path: &str) -> Result<Response<Bytes>, GetError> {
    tokio::time::timeout(TIMEOUT, exchange(addr, path)).await?
}

async fn exchange(addr: SocketAddr, path: &str) -> Result<Response<Bytes>, GetError> {
    let stream = TcpStream::connect(addr).await?;
    get_over(stream, &addr.to_string(), path).await
}

/// Fetches `path` over a connection that is there already, without a limit of time.
///
/// # Errors
/// As [`get`].
///
/// # Panics
/// When `host` or `path` can't be in a request: they are literals or addresses.
pub(crate) async fn get_over(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: &str,
    path: &str,
) -> Result<Response<Bytes>, GetError> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header(http::header::HOST, host)
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .expect("paths here are literals and an address is a valid host");
    let exchange = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    };
    let (response, _) = tokio::join!(exchange, connection);
    response
}
