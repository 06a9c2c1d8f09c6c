//! Streams around streams: replaying what detection has read, counting bytes,
//! reading in bulk.

mod ahead;
mod counted;
mod forward;

pub use self::ahead::ReadAhead;
pub use self::counted::{ByteCounters, CountBytes, Counted};
pub(crate) use self::forward::forward;

use bytes::{Buf, Bytes};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server;

/// Any stream of bytes both ways.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Has the connection end in a reset when it is dropped, instead of a FIN: what
    /// was sent is not all that was to be, and must not look like it.
    fn reset_on_drop(&self);
}

/// A stream whose type was given up, at the joint of accept and protocol.
pub struct BoxIo(Box<dyn Io>);

/// A stream that first gives back bytes which were already read from it.
#[derive(Debug)]
pub struct Prefixed<I> {
    prefix: Bytes,
    io: I,
}

impl<I> Prefixed<I> {
    /// `io` with `prefix` to be read before anything else.
    pub fn new(io: I, prefix: Bytes) -> Self {
        Self { prefix, io }
    }

    /// What is left to be replayed.
    pub fn prefix(&self) -> &Bytes {
        &self.prefix
    }

    /// The stream itself.
    pub fn get_ref(&self) -> &I {
        &self.io
    }

    /// The stream, and what was not replayed yet.
    pub fn into_parts(self) -> (I, Bytes) {
        (self.io, self.prefix)
    }
}

impl BoxIo {
    /// Gives up the type of `io`.
    pub fn new(io: impl Io) -> Self {
        Self(Box::new(io))
    }
}

impl AsyncRead for BoxIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for BoxIo {
    forward!(0: write, flush, shutdown);
}

impl<I: AsyncRead + Unpin> AsyncRead for Prefixed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let n = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix[..n]);
        self.prefix.advance(n);
        if self.prefix.is_empty() {
            // An empty `Bytes` would keep the whole buffer for as long as the connection.
            self.prefix = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Prefixed<I> {
    forward!(io: write, flush, shutdown);
}

impl Io for TcpStream {
    fn reset_on_drop(&self) {
        // Fails only for a socket that is gone, and then nobody is to be told.
        let _gone = self.set_zero_linger();
    }
}

impl<I: Io> Io for server::TlsStream<I> {
    /// Nor is there a `close_notify`, which is sent by a shutdown only.
    fn reset_on_drop(&self) {
        self.get_ref().0.reset_on_drop();
    }
}

impl<I: Io> Io for Prefixed<I> {
    fn reset_on_drop(&self) {
        self.io.reset_on_drop();
    }
}

impl Io for BoxIo {
    fn reset_on_drop(&self) {
        self.0.reset_on_drop();
    }
}

#[cfg(test)]
impl Io for tokio::io::DuplexStream {
    fn reset_on_drop(&self) {}
}

#[cfg(test)]
pub(crate) mod tests;
