//! Counting the bytes of a stream.

use super::{Io, forward};
use metrics::Counter;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Where [`Counted`] counts.
pub trait CountBytes: Send + Sync + 'static {
    /// `bytes` were read from the peer.
    fn read(&self, bytes: u64);
    /// `bytes` were written to the peer.
    fn written(&self, bytes: u64);
}

/// A pair of counters, the usual [`CountBytes`].
#[derive(Debug)]
pub struct ByteCounters {
    /// Bytes read from the peer.
    pub read: Counter,
    /// Bytes written to the peer.
    pub write: Counter,
}

/// A stream that counts the bytes through it.
#[derive(Debug)]
pub struct Counted<I, C = ByteCounters> {
    io: I,
    counters: Arc<C>,
}

impl CountBytes for ByteCounters {
    fn read(&self, bytes: u64) {
        self.read.increment(bytes);
    }

    fn written(&self, bytes: u64) {
        self.write.increment(bytes);
    }
}

impl<I, C> Counted<I, C> {
    /// `io`, counted in `counters`, which connections of the same labels share.
    pub fn new(io: I, counters: Arc<C>) -> Self {
        Self { io, counters }
    }

    /// The stream itself.
    pub fn get_ref(&self) -> &I {
        &self.io
    }
}

impl<I: AsyncRead + Unpin, C: CountBytes> AsyncRead for Counted<I, C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.counters.read((buf.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin, C: CountBytes> AsyncWrite for Counted<I, C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.counters.written(n as u64);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let n = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        self.counters.written(n as u64);
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    forward!(io: flush, shutdown);
}

impl<I: Io, C: CountBytes> Io for Counted<I, C> {
    fn reset_on_drop(&self) {
        self.io.reset_on_drop();
    }
}
