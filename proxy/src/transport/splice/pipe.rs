//! One direction of a splice.

use super::{Side, SpliceCause};
use bytes::Buf;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// First buffer, bytes: a request or an answer of usual size in one read.
const BUFFER_MIN: usize = 8 * 1024;
/// Reads per poll, so that neither the opposite direction nor another
/// connection of the runtime waits for a sender that never pauses.
const ROUNDS: usize = 16;

/// Copies from one stream, the source, to another, the sink.
pub(super) struct Pipe {
    source: Side,
    sink: Side,
    state: State,
    /// What was read and not yet written; empty, without memory, when quiet.
    buffer: io::Cursor<Vec<u8>>,
    /// Why reading failed, until what came before is written.
    failed: Option<io::Error>,
    /// The size of the next buffer.
    size: usize,
    max: usize,
    unflushed: bool,
    progress: bool,
    delivered: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Both ends are open.
    Copying,
    /// The source has ended; the sink is to be told.
    Closing,
    /// The sink was told.
    Done,
}

impl Pipe {
    pub(super) fn new(source: Side, sink: Side, max: usize) -> Self {
        Self {
            source,
            sink,
            state: State::Copying,
            buffer: io::Cursor::default(),
            failed: None,
            size: BUFFER_MIN.min(max),
            max,
            unflushed: false,
            progress: false,
            delivered: 0,
        }
    }

    /// Bytes the sink has taken.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Whether anything moved since the last call.
    pub(super) fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    /// Copies what can be copied now. Ready when the direction has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut (impl AsyncRead + Unpin + ?Sized),
        sink: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Poll<Result<(), (Side, SpliceCause)>> {
        let (from, to) = (self.source, self.sink);
        for _ in 0..ROUNDS {
            ready!(self.poll_write(cx, sink)).map_err(|e| (to, SpliceCause::Write(e)))?;
            match self.state {
                State::Copying => match self.poll_fill(cx, source) {
                    Poll::Ready(filled) => filled.map_err(|e| (from, SpliceCause::Read(e)))?,
                    Poll::Pending => {
                        ready!(self.poll_flush(cx, sink))
                            .map_err(|e| (to, SpliceCause::Write(e)))?;
                        return Poll::Pending;
                    }
                },
                State::Closing => {
                    ready!(poll_close(cx, sink)).map_err(|e| (to, SpliceCause::Write(e)))?;
                    self.state = State::Done;
                    self.progress = true;
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads what there is, so that one write takes several TLS records. The buffer
    /// is let go when there is nothing to read.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut (impl AsyncRead + Unpin + ?Sized),
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let mut bytes = std::mem::take(&mut self.buffer).into_inner();
        bytes.clear();
        if bytes.capacity() < self.size {
            bytes = Vec::with_capacity(self.size);
        }
        while bytes.len() < bytes.capacity() {
            match pin!(source.read_buf(&mut bytes)).poll(cx) {
                Poll::Ready(Ok(0)) => {
                    self.state = State::Closing;
                    break;
                }
                Poll::Ready(Ok(_)) => {}
                // After what was read before it.
                Poll::Ready(Err(error)) if !bytes.is_empty() => {
                    self.failed = Some(error);
                    break;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if bytes.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if bytes.len() == bytes.capacity() {
            self.size = (self.size * 2).min(self.max);
        }
        self.progress |= !bytes.is_empty();
        self.buffer = io::Cursor::new(bytes);
        Poll::Ready(Ok(()))
    }

    /// Writes all that was read.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Poll<io::Result<()>> {
        while self.buffer.has_remaining() {
            let n = ready!(Pin::new(&mut *sink).poll_write(cx, self.buffer.chunk()))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.buffer.advance(n);
            self.delivered += n as u64;
            self.unflushed = true;
            self.progress = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what the sink may hold back, once there is nothing more to add.
    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(sink).poll_flush(cx))?;
            self.unflushed = false;
            self.progress = true;
        }
        Poll::Ready(Ok(()))
    }
}

fn poll_close(
    cx: &mut Context<'_>,
    sink: &mut (impl AsyncWrite + Unpin + ?Sized),
) -> Poll<io::Result<()>> {
    match ready!(Pin::new(sink).poll_shutdown(cx)) {
        // The peer has already closed both ways: nothing is left to be told.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
        closed => Poll::Ready(closed),
    }
}
