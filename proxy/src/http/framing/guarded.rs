//! The stream under hyper's server: passes on what [`Framing`] passes.

use super::answers::{Handle, Shared};
use super::machine::{Framing, Part, Step};
use super::violation::Violation;
use crate::transport::io::{Io, forward};
use bytes::{Buf, Bytes};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Put behind a head that is incomplete: wherever in a head a NUL stands, hyper
/// answers 400, and it looks at a head again when an empty line has come.
const POISON: &[u8] = b"\0\r\n\r\n";

/// Reads thrown away at most when a refused connection is shut down.
const DISCARDS: usize = 64;

/// A client's stream from which hyper reads only well-framed requests.
#[derive(Debug)]
pub struct Guarded<I> {
    io: I,
    framing: Framing,
    mode: Mode,
    /// Bytes read and not passed on: behind a request that may become a tunnel.
    held: Bytes,
    shared: Arc<Shared>,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Requests, one after the other.
    Http,
    /// Until the answer to the last request is known.
    Undecided,
    /// Another protocol, which is none of our business.
    Tunnel,
    /// A head is to be spoiled with what is left of these bytes.
    Poison(&'static [u8]),
    /// Reading a body is to fail.
    Fail(Violation),
    /// Nothing more is read.
    Ended,
}

impl<I> Guarded<I> {
    /// Guards `io`, the stream of a client that speaks HTTP/1. The service must
    /// be wrapped with the handle's [`Handle::watch`]: without it a connection
    /// is silent after a request with Upgrade.
    pub fn new(io: I) -> (Self, Handle) {
        let shared = Arc::<Shared>::default();
        let handle = Handle::new(shared.clone());
        let framing = Framing::new();
        (
            Self {
                io,
                framing,
                mode: Mode::Http,
                held: Bytes::new(),
                shared,
            },
            handle,
        )
    }

    /// The stream itself.
    pub fn get_ref(&self) -> &I {
        &self.io
    }

    /// How many of `bytes` may be passed on now; changes the mode accordingly.
    fn admit(&mut self, bytes: &[u8]) -> usize {
        match self.framing.advance(bytes) {
            Step::Pass => bytes.len(),
            Step::Hold { at } => {
                self.mode = Mode::Undecided;
                at
            }
            Step::Refuse {
                at,
                violation,
                part,
            } => {
                // Only the first counts, and there is no second: nothing is read after it.
                let _ = self.shared.violation.set((violation, part));
                self.mode = match part {
                    Part::Head => Mode::Poison(POISON),
                    Part::Body => Mode::Fail(violation),
                };
                at
            }
        }
    }
}

impl<I: AsyncRead + Unpin> Guarded<I> {
    /// Held bytes first, then the stream's, as far as they may be passed on.
    fn poll_http(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            let bytes = self.held.slice(..self.held.len().min(buf.remaining()));
            let n = self.admit(&bytes);
            buf.put_slice(&bytes[..n]);
            self.drop_held(n);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        let n = self.admit(read);
        if let Mode::Undecided = self.mode {
            self.held = Bytes::copy_from_slice(&read[n..]);
        }
        buf.set_filled(before + n);
        Poll::Ready(Ok(()))
    }

    /// While the answer is open: takes bytes in, up to one read, and passes on
    /// only the end of the stream, so that hyper sees a client that left.
    fn poll_undecided(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.held.is_empty() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
            let read = &buf.filled()[before..];
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.held = Bytes::copy_from_slice(read);
            buf.set_filled(before);
        }
        Poll::Pending
    }

    fn poll_tunnel(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.held.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let n = self.held.len().min(buf.remaining());
        buf.put_slice(&self.held[..n]);
        self.drop_held(n);
        Poll::Ready(Ok(()))
    }

    fn drop_held(&mut self, n: usize) {
        self.held.advance(n);
        if self.held.is_empty() {
            self.held = Bytes::new();
        }
    }

    /// Reads away what has arrived: the kernel answers closing a socket with
    /// unread bytes by a reset, which can overtake the 400 on its way.
    fn discard(&mut self, cx: &mut Context<'_>) {
        let mut scratch = [0; 2048];
        for _ in 0..DISCARDS {
            let mut buf = ReadBuf::new(&mut scratch);
            let read = Pin::new(&mut self.io).poll_read(cx, &mut buf);
            if !matches!(read, Poll::Ready(Ok(()))) || buf.filled().is_empty() {
                return;
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guarded<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            match self.mode {
                Mode::Http => {
                    ready!(self.poll_http(cx, buf))?;
                    // Nothing passed means the end, unless the mode says otherwise.
                    if buf.filled().len() > before || matches!(self.mode, Mode::Http) {
                        return Poll::Ready(Ok(()));
                    }
                }
                Mode::Undecided => match self.shared.poll_answer(cx, self.framing.requests()) {
                    Poll::Ready(true) => self.mode = Mode::Tunnel,
                    Poll::Ready(false) => {
                        self.framing.resume();
                        self.mode = Mode::Http;
                    }
                    Poll::Pending => return self.poll_undecided(cx, buf),
                },
                Mode::Tunnel => return self.poll_tunnel(cx, buf),
                Mode::Poison(rest) => {
                    let (now, later) = rest.split_at(rest.len().min(buf.remaining()));
                    buf.put_slice(now);
                    self.mode = if later.is_empty() {
                        Mode::Ended
                    } else {
                        Mode::Poison(later)
                    };
                    return Poll::Ready(Ok(()));
                }
                Mode::Fail(violation) => {
                    self.mode = Mode::Ended;
                    let error = io::Error::new(io::ErrorKind::InvalidData, violation);
                    return Poll::Ready(Err(error));
                }
                Mode::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<I: Io> Io for Guarded<I> {
    fn reset_on_drop(&self) {
        self.io.reset_on_drop();
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<I> {
    forward!(io: write, flush);

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        if self.shared.violation.get().is_some() {
            self.discard(cx);
        }
        Poll::Ready(Ok(()))
    }
}
