//! Making a connection to an endpoint or to the application.
//!
//! A connector is made once per endpoint, with everything a connection needs
//! prepared: the TLS configuration that knows which identity the peer must
//! prove, and the transport header for each protocol, already encoded.

mod error;

pub use self::error::ConnectError;

use super::{
    header::{self, SessionProtocol, TransportHeader},
    io::{CountBytes, Counted, ReadAhead},
    listener::SocketOptions,
    orig_dst::normalise,
    stream::Stream,
};
use crate::metrics::{TcpMetrics, TcpOpen};
use bytes::Bytes;
use rustls::pki_types::ServerName;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// What will be spoken on a connection; tells the peer in the transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
    /// Bytes.
    Opaque,
}

/// Mutual TLS to one identity.
#[derive(Clone)]
pub struct ClientTls {
    /// Knows the identity the peer must prove, and our certificate.
    pub config: Arc<rustls::ClientConfig>,
    /// SNI.
    pub server_name: ServerName<'static>,
}

/// How connections to an endpoint are secured.
#[derive(Clone, Debug)]
pub enum Security {
    /// Not: the endpoint is not meshed.
    Plain,
    /// Mutual TLS.
    Mutual(ClientTls),
    /// The endpoint claims an identity that can't be verified, for this reason.
    Impossible(Arc<str>),
}

/// What a transport header says of a connection's purpose.
#[derive(Clone, Copy, Debug)]
pub struct HeaderFor {
    /// The application's port.
    pub port: u16,
    /// The port is opaque on the far side, whatever is spoken.
    pub opaque: bool,
}

/// Makes connections to one address.
#[derive(Debug)]
pub struct Connector {
    /// Where to connect.
    pub addr: SocketAddr,
    /// Mutual TLS or plaintext.
    pub security: Security,
    /// What the transport header says; none is sent without.
    pub header: Option<HeaderFor>,
    /// For TCP and TLS handshakes together.
    pub timeout: Duration,
    /// Socket options.
    pub sockets: SocketOptions,
    /// Our own listeners, to which nothing may be sent: it would come back.
    pub own: Arc<[SocketAddr]>,
    /// Counts connections and bytes.
    pub metrics: Arc<TcpMetrics>,
}

/// An open connection, counted.
pub type Connection = Tracked<Stream>;

/// A stream that is counted: its bytes, and itself until it is dropped.
pub type Tracked<I> = Counted<I, TcpOpen>;

/// Counts `io` in `metrics` from now until it is dropped.
pub fn track<I>(io: I, metrics: &Arc<TcpMetrics>) -> Tracked<I> {
    Counted::new(io, Arc::new(metrics.opened()))
}

impl CountBytes for TcpOpen {
    fn read(&self, bytes: u64) {
        self.metrics().read.increment(bytes);
    }

    fn written(&self, bytes: u64) {
        self.metrics().write.increment(bytes);
    }
}

impl Connector {
    /// Connects, does the TLS handshake and sends the transport header.
    ///
    /// # Errors
    /// [`ConnectError`], naming the address and the step.
    pub async fn connect(&self, session: Session) -> Result<Connection, ConnectError> {
        let stream = timeout(self.timeout, self.handshake(session))
            .await
            .map_err(|_| ConnectError::Timeout {
                addr: self.addr,
                timeout: self.timeout,
            })??;
        Ok(track(stream, &self.metrics))
    }

    /// Whether the endpoint takes TCP connections; the connection is not used.
    ///
    /// # Errors
    /// [`ConnectError`], as for [`Self::connect`].
    pub async fn probe(&self) -> Result<(), ConnectError> {
        self.connect(Session::Opaque).await.map(drop)
    }

    async fn handshake(&self, session: Session) -> Result<Stream, ConnectError> {
        let mut stream = self.secure(self.tcp().await?).await?;
        if let Some(header) = self.header {
            let header = header.encode(session);
            let sent = async {
                stream.write_all(&header).await?;
                stream.flush().await
            };
            sent.await.map_err(|cause| self.tcp_error(cause))?;
        }
        Ok(stream)
    }

    async fn tcp(&self) -> Result<TcpStream, ConnectError> {
        let tcp = TcpStream::connect(self.addr)
            .await
            .map_err(|cause| self.tcp_error(cause))?;
        self.sockets
            .apply(&tcp)
            .map_err(|cause| self.tcp_error(cause))?;
        self.refuse_loop(&tcp)?;
        Ok(tcp)
    }

    /// Asks the socket where it leads: one listener has many names and spellings
    /// (`localhost`, `0.0.0.0`, `::ffff:127.0.0.1`, an endpoint of a service).
    fn refuse_loop(&self, tcp: &TcpStream) -> Result<(), ConnectError> {
        let io = |cause| self.tcp_error(cause);
        let peer = normalise(tcp.peer_addr().map_err(io)?);
        let local = normalise(tcp.local_addr().map_err(io)?);
        let here = peer.ip().is_loopback() || peer.ip() == local.ip();
        let is_own = |own: &&SocketAddr| {
            **own == peer || here && own.ip().is_unspecified() && own.port() == peer.port()
        };
        match self.own.iter().find(is_own) {
            Some(own) => Err(ConnectError::Loop {
                addr: self.addr,
                own: *own,
            }),
            None => Ok(()),
        }
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Stream, ConnectError> {
        let tls = match &self.security {
            Security::Plain => return Ok(Stream::Plain(tcp)),
            Security::Mutual(tls) => tls,
            Security::Impossible(reason) => {
                let (addr, reason) = (self.addr, reason.clone());
                return Err(ConnectError::Identity { addr, reason });
            }
        };
        let connector = TlsConnector::from(tls.config.clone());
        let connect = connector.connect(tls.server_name.clone(), ReadAhead::new(tcp));
        let stream = connect.await.map_err(|cause| ConnectError::Tls {
            addr: self.addr,
            server_name: tls.server_name.to_str().into_owned(),
            cause,
        })?;
        let agreed = stream.get_ref().1.alpn_protocol() == Some(header::ALPN);
        if self.header.is_some() && !agreed {
            let (addr, alpn) = (self.addr, header::ALPN_NAME);
            return Err(ConnectError::NoHeader { addr, alpn });
        }
        Ok(Stream::Tls(Box::new(stream)))
    }

    fn tcp_error(&self, cause: io::Error) -> ConnectError {
        ConnectError::Tcp {
            addr: self.addr,
            cause,
        }
    }
}

impl HeaderFor {
    fn encode(self, session: Session) -> Bytes {
        let session = match session {
            Session::Http1 => Some(SessionProtocol::Http1),
            Session::Http2 => Some(SessionProtocol::Http2),
            Session::Opaque => None,
        };
        TransportHeader {
            port: self.port,
            name: None,
            session: session.filter(|_| !self.opaque),
        }
        .encode()
    }
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}
