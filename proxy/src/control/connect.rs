//! One connection to a control-plane service: TCP, TLS where needed, HTTP/2.
//!
//! hyper's own connection is used, not tonic's `transport`: that would bring a
//! second TLS set-up, a balancer and a buffer that we do not need.

use super::{ControlConfig, dns::DnsError};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tonic::body::Body;

/// How a service that is not on loopback is reached.
#[derive(Clone, Debug)]
pub struct ControlTls {
    /// Verifies the service and, for mutual TLS, presents our certificate. The
    /// configuration stays the same when certificate or trust change: both are
    /// read anew at each handshake.
    pub config: Arc<rustls::ClientConfig>,
    /// The service's name for SNI.
    pub server_name: ServerName<'static>,
    /// Connecting waits until this is true: before our first certificate every
    /// mutual handshake would be refused. `None` when none is needed.
    pub ready: Option<watch::Receiver<bool>>,
}

/// Why a control-plane service could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its name did not resolve.
    #[error(transparent)]
    Dns(#[from] DnsError),
    /// TCP failed.
    #[error("could not connect to {addr}: {source}")]
    Tcp {
        /// The address tried.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The TLS handshake failed.
    #[error("no TLS with {addr}: {source}")]
    Tls {
        /// The address tried.
        addr: SocketAddr,
        /// What the TLS library says.
        source: io::Error,
    },
    /// The HTTP/2 handshake failed.
    #[error("no HTTP/2 with {addr}: {source}")]
    Http2 {
        /// The address tried.
        addr: SocketAddr,
        /// What hyper says.
        source: hyper::Error,
    },
    /// The address did not answer in time.
    #[error("{0} did not answer within the connect timeout")]
    TimedOut(SocketAddr),
    /// The service is not on loopback and we have no identity to use there.
    #[error("{0} is not a loopback address: mutual TLS is needed, but no identity is configured")]
    NoIdentity(SocketAddr),
    /// The identity we wait for will never come.
    #[error("the identity client has stopped")]
    IdentityStopped,
}

/// A stream of any kind. Boxed, so that hyper's HTTP/2 is compiled once.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Opens an HTTP/2 connection to `addr`, within the connect timeout.
pub(super) async fn connect(
    addr: SocketAddr,
    config: &ControlConfig,
    tls: Option<&ControlTls>,
) -> Result<SendRequest<Body>, ConnectError> {
    let tls = security(addr, tls)?;
    let connecting = async {
        let tcp_error = |source| ConnectError::Tcp { addr, source };
        let tcp = TcpStream::connect(addr).await.map_err(tcp_error)?;
        tcp.set_nodelay(true).map_err(tcp_error)?;
        let io: Box<dyn Io> = match tls {
            None => Box::new(tcp),
            Some(tls) => Box::new(handshake(tcp, addr, tls).await?),
        };
        http2(io, addr, config).await
    };
    timeout(config.connect_timeout, connecting)
        .await
        .map_err(|_| ConnectError::TimedOut(addr))?
}

/// Plaintext to loopback, whatever is configured; TLS to anything else.
fn security(
    addr: SocketAddr,
    tls: Option<&ControlTls>,
) -> Result<Option<&ControlTls>, ConnectError> {
    if addr.ip().to_canonical().is_loopback() {
        return Ok(None);
    }
    tls.ok_or(ConnectError::NoIdentity(addr)).map(Some)
}

async fn handshake<T: Io>(
    io: T,
    addr: SocketAddr,
    tls: &ControlTls,
) -> Result<tokio_rustls::client::TlsStream<T>, ConnectError> {
    tokio_rustls::TlsConnector::from(tls.config.clone())
        .connect(tls.server_name.clone(), io)
        .await
        .map_err(|source| ConnectError::Tls { addr, source })
}

async fn http2(
    io: Box<dyn Io>,
    addr: SocketAddr,
    config: &ControlConfig,
) -> Result<SendRequest<Body>, ConnectError> {
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(config.keepalive.interval)
        .keep_alive_timeout(config.keepalive.timeout)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|source| ConnectError::Http2 { addr, source })?;
    tokio::spawn(async move {
        match connection.await {
            Ok(()) => tracing::debug!(%addr, "Control plane connection closed"),
            Err(error) => tracing::info!(%addr, %error, "Control plane connection lost"),
        }
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_to_loopback_alone() {
        for addr in [
            "127.0.0.1:1",
            "127.8.0.1:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(
                matches!(security(addr.parse().unwrap(), None), Ok(None)),
                "{addr}"
            );
        }
        for addr in ["10.0.0.1:1", "[fd00::1]:1", "0.0.0.0:1"] {
            let err = security(addr.parse().unwrap(), None)
                .unwrap_err()
                .to_string();
            assert!(err.contains("no identity is configured"), "{err}");
        }
    }
}
