//! Timers that nearly never fire.
//!
//! Setting a timer of the runtime costs more than reading the clock. One that is
//! put off again and again is left as it is, and only set again when it fires too
//! early.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Instant, Sleep};

/// Ready at `deadline`, by a timer that may be set for an earlier time.
pub(crate) fn poll_deadline(
    mut sleep: Pin<&mut Sleep>,
    deadline: Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        ready!(sleep.as_mut().poll(cx));
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        sleep.as_mut().reset(deadline);
    }
}
