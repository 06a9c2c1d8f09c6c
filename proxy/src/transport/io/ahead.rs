//! Reading ahead of a reader that asks for little at a time.
//!
//! rustls reads 4 KiB at a time, a quarter of a full record: bulk would cost a
//! system call for each. As long as what arrives fills what is asked for, the next
//! read takes all there is, up to [`AHEAD`], and hands it out from memory. A
//! connection that carries small messages, or none, never has the buffer.

use super::{Io, forward};
use bytes::Buf;
use std::{
    io::{self, Cursor},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Bytes read at once from a stream in bulk: four full TLS records.
const AHEAD: usize = 64 * 1024;

/// A stream that is read ahead of its reader.
#[derive(Debug)]
pub struct ReadAhead<I> {
    io: I,
    /// What was read and not handed out yet; without memory unless in bulk.
    ahead: Cursor<Vec<u8>>,
    /// The last read brought all that was asked for.
    bulk: bool,
}

impl<I> ReadAhead<I> {
    /// Reads `io` ahead.
    pub fn new(io: I) -> Self {
        Self {
            io,
            ahead: Cursor::default(),
            bulk: false,
        }
    }

    /// The stream itself.
    pub fn get_ref(&self) -> &I {
        &self.io
    }

    #[cfg(test)]
    pub(super) fn is_without_buffer(&self) -> bool {
        self.ahead.get_ref().capacity() == 0
    }
}

impl<I: AsyncRead + Unpin> ReadAhead<I> {
    /// Reads as much as is asked for.
    fn poll_direct(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let asked = buf.remaining() > 0;
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.bulk = asked && buf.remaining() == 0;
        Poll::Ready(Ok(()))
    }

    /// Reads all there is. The buffer is let go when that is not much.
    fn poll_fill(&mut self, cx: &mut Context<'_>, asked: usize) -> Poll<io::Result<()>> {
        let mut bytes = std::mem::take(&mut self.ahead).into_inner();
        bytes.clear();
        bytes.reserve(AHEAD);
        let n = ready!(pin!(self.io.read_buf(&mut bytes)).poll(cx))?;
        self.bulk = n > asked;
        self.ahead = Cursor::new(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for ReadAhead<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.has_remaining() {
            if !self.bulk {
                return self.poll_direct(cx, buf);
            }
            ready!(self.poll_fill(cx, buf.remaining()))?;
        }
        let n = self.ahead.remaining().min(buf.remaining());
        buf.put_slice(&self.ahead.chunk()[..n]);
        self.ahead.advance(n);
        if !self.ahead.has_remaining() && !self.bulk {
            self.ahead = Cursor::default();
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for ReadAhead<I> {
    forward!(io: write, flush, shutdown);
}

impl<I: Io> Io for ReadAhead<I> {
    fn reset_on_drop(&self) {
        self.io.reset_on_drop();
    }
}
