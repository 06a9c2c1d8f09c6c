//! Accepts connections of the control plane: plaintext from this machine, TLS from
//! elsewhere.
//!
//! A stock linkerd2-proxy talks plaintext to a loopback address whatever it is told
//! (design.md, "Settled details"). Judged is the address that a connection
//! arrived on, not the one that is bound, so that 0.0.0.0 serves both kinds.
//! Handshakes run beside each other, each with a time limit, and a connection
//! keeps its place in the limit until it is closed.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::credentials::{PeerError, peer_identity};

/// What the clients of a control plane server may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the kernel.
    pub connections: usize,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Streams at a time on one connection.
    pub streams: u32,
    /// Bytes of headers in one request.
    pub header_list: u32,
    /// Time for one request.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshake: Duration::from_secs(10),
            streams: 100,
            header_list: 16 * 1024,
            request: Duration::from_secs(10),
        }
    }
}

/// Who is at the other end; a request extension in tonic.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub addr: SocketAddr,
    /// Its identity, if it has shown a certificate.
    pub identity: Option<String>,
}

/// An accepted connection, plaintext or TLS.
pub struct Connection {
    io: Io,
    peer: Peer,
    _place: OwnedSemaphorePermit,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connections as they come, until the stream is dropped.
///
/// Must be called within a tokio runtime.
pub fn incoming(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    limits: Limits,
) -> impl Stream<Item = io::Result<Connection>> + Send + use<> {
    let (connections, receiver) = mpsc::channel(16);
    let acceptor = TlsAcceptor::from(tls);
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(limits.connections));
        loop {
            tokio::select! {
                () = connections.closed() => return,
                accepted = accept(&listener, &places) => match accepted {
                    Ok(accepted) => {
                        let client = accepted.1;
                        let opened = open(accepted, acceptor.clone());
                        let to = connections.clone();
                        tokio::spawn(hand_over(opened, client, limits.handshake, to));
                    }
                    Err(error) => {
                        // Out of file descriptors, most likely: let some be closed.
                        tracing::warn!(%error, "Can't accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    });
    ReceiverStream::new(receiver)
}

type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

async fn hand_over(
    opened: impl Future<Output = io::Result<Connection>>,
    client: SocketAddr,
    limit: Duration,
    connections: mpsc::Sender<io::Result<Connection>>,
) {
    match tokio::time::timeout(limit, opened).await {
        Ok(Ok(connection)) => drop(connections.send(Ok(connection)).await),
        Ok(Err(error)) => match PeerError::of(&error) {
            Some(refused) => tracing::info!(%client, error = %refused, "Client refused"),
            None => tracing::debug!(%client, %error, "TLS handshake failed"),
        },
        Err(_) => tracing::debug!(%client, "TLS handshake took too long"),
    }
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    let (tcp, addr) = listener.accept().await?;
    Ok((tcp, addr, place))
}

async fn open((tcp, addr, place): Accepted, acceptor: TlsAcceptor) -> io::Result<Connection> {
    tcp.set_nodelay(true)?;
    if tcp.local_addr()?.ip().to_canonical().is_loopback() {
        let peer = Peer {
            addr,
            identity: None,
        };
        return Ok(Connection {
            io: Io::Plain(tcp),
            peer,
            _place: place,
        });
    }
    let tls = acceptor.accept(tcp).await?;
    let identity = tls.get_ref().1.peer_certificates().and_then(peer_identity);
    let peer = Peer { addr, identity };
    Ok(Connection {
        io: Io::Tls(Box::new(tls)),
        peer,
        _place: place,
    })
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
