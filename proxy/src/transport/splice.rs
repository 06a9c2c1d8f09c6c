//! Copies bytes between two streams until both are done.
//!
//! Each direction is a pipe: it reads, writes all of it, and only
//! then reads again, so the peer's window is our back-pressure. The end of one
//! direction shuts down the other stream's writing and leaves the opposite
//! direction alone, as many protocols go on after a half-close.
//!
//! Not tokio's `copy_bidirectional`: that keeps two buffers for as long as the
//! connection, never gives up on a silent pair, doesn't say which side failed,
//! and lets one busy direction use up the task's budget while the other waits.
//! Here a quiet connection holds no buffer at all, a bulk one grows to
//! [`SpliceOptions::buffer`], and each direction gets a few rounds per poll.

mod pipe;

use super::io::Io;
use crate::timer::poll_deadline;
use pipe::Pipe;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

/// How [`splice`] copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpliceOptions {
    /// Gives up when no byte moved in either direction for as long.
    pub idle_timeout: Duration,
    /// The most buffered in each direction, bytes; 64 KiB is good for bulk.
    pub buffer: usize,
}

/// Bytes that were delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// From `a` to `b`.
    pub a_to_b: u64,
    /// From `b` to `a`.
    pub b_to_a: u64,
}

/// Whose fault an end was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first stream.
    A,
    /// The second stream.
    B,
    /// Neither alone: both were silent.
    Both,
}

/// What ended a splice before its time.
#[derive(Debug, thiserror::Error)]
pub enum SpliceCause {
    /// Reading from the side failed; `ConnectionReset` when it was reset.
    #[error("read failed: {0}")]
    Read(io::Error),
    /// Writing to the side failed.
    #[error("write failed: {0}")]
    Write(io::Error),
    /// Nothing moved for the idle timeout.
    #[error("idle for {0:?}")]
    Idle(Duration),
}

/// A splice that ended before both directions did.
#[derive(Debug, thiserror::Error)]
#[error("{side}: {cause} (after {} bytes there and {} back)", .transferred.a_to_b, .transferred.b_to_a)]
pub struct SpliceError {
    /// The stream that failed.
    pub side: Side,
    /// What happened.
    pub cause: SpliceCause,
    /// What was delivered until then.
    pub transferred: Transferred,
}

/// Joins `a` and `b` until both have ended, and passes on how: what broke off on
/// one side ends in a reset on the other, as it would without a proxy between.
///
/// # Errors
/// As [`splice`].
pub async fn join(
    mut a: impl Io,
    mut b: impl Io,
    options: SpliceOptions,
) -> Result<Transferred, SpliceError> {
    let ended = splice(&mut a, &mut b, options).await;
    if ended.as_ref().is_err_and(SpliceError::is_truncation) {
        a.reset_on_drop();
        b.reset_on_drop();
    }
    ended
}

/// Copies both ways between `a` and `b` until both have ended.
///
/// # Errors
/// The first failure of either stream, after what had already arrived for the
/// other direction was passed on as far as it is taken at once; or the idle
/// timeout. Both streams should then be dropped.
pub async fn splice(
    a: &mut (impl AsyncRead + AsyncWrite + Unpin + ?Sized),
    b: &mut (impl AsyncRead + AsyncWrite + Unpin + ?Sized),
    options: SpliceOptions,
) -> Result<Transferred, SpliceError> {
    let mut a_to_b = Pipe::new(Side::A, Side::B, options.buffer);
    let mut b_to_a = Pipe::new(Side::B, Side::A, options.buffer);
    let sleep = pin!(tokio::time::sleep(options.idle_timeout));
    let mut idle = Idle::new(options.idle_timeout, sleep);
    let ended = poll_fn(|cx| {
        let there = a_to_b.poll(cx, a, b);
        let back = b_to_a.poll(cx, b, a);
        // Polled both before looking at either: an answer that is here must
        // not be lost because its sender stopped listening.
        match (there, back) {
            (Poll::Ready(Err(error)), _) | (_, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(Ok(())),
            _ => {
                let moved = a_to_b.take_progress() | b_to_a.take_progress();
                idle.poll(cx, moved).map(Err)
            }
        }
    })
    .await;
    let transferred = Transferred {
        a_to_b: a_to_b.delivered(),
        b_to_a: b_to_a.delivered(),
    };
    match ended {
        Ok(()) => Ok(transferred),
        Err((side, cause)) => Err(SpliceError {
            side,
            cause,
            transferred,
        }),
    }
}

impl SpliceError {
    /// Whether bytes were on their way that nobody gets. Not by a side that takes no
    /// more after it has sent everything: the other is to have all of that.
    fn is_truncation(&self) -> bool {
        match &self.cause {
            SpliceCause::Read(_) => true,
            SpliceCause::Write(error) => error.kind() != io::ErrorKind::BrokenPipe,
            SpliceCause::Idle(_) => false,
        }
    }
}

/// The idle timer: a move only notes the time.
struct Idle<'a> {
    timeout: Duration,
    last: Instant,
    sleep: Pin<&'a mut Sleep>,
}

impl<'a> Idle<'a> {
    fn new(timeout: Duration, sleep: Pin<&'a mut Sleep>) -> Self {
        Self {
            timeout,
            last: Instant::now(),
            sleep,
        }
    }

    /// Ready when nothing `moved` for the timeout.
    fn poll(&mut self, cx: &mut Context<'_>, moved: bool) -> Poll<(Side, SpliceCause)> {
        if moved {
            self.last = Instant::now();
        }
        ready!(poll_deadline(
            self.sleep.as_mut(),
            self.last + self.timeout,
            cx
        ));
        Poll::Ready((Side::Both, SpliceCause::Idle(self.timeout)))
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "first stream",
            Self::B => "second stream",
            Self::Both => "both streams",
        })
    }
}

#[cfg(test)]
mod tests;
