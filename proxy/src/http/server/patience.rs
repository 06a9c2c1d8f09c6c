//! How long an HTTP/1 connection waits for a request's head.
//!
//! hyper sets a timer for each head and drops it with the head, which is one for
//! each request of a keep-alive connection, and hardly any of them fires. Here they
//! have one timer of the runtime in common, kept with the connection.

use crate::timer::poll_deadline;
use hyper::rt;
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{self, Duration},
};
use tokio::time::{Instant, Sleep, sleep_until};

/// The timers of one connection, of which there is one at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience {
    spare: Arc<Mutex<Option<Pin<Box<Sleep>>>>>,
}

/// Waits with the connection's timer, which may be set for an earlier time.
struct Wait {
    sleep: Option<Pin<Box<Sleep>>>,
    deadline: Instant,
    of: Patience,
}

impl rt::Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        let deadline = Instant::from_std(deadline);
        Box::pin(Wait {
            sleep: self.spare.lock().take(),
            deadline,
            of: self.clone(),
        })
    }

    fn now(&self) -> time::Instant {
        Instant::now().into_std()
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        poll_deadline(sleep.as_mut(), deadline, cx)
    }
}

impl rt::Sleep for Wait {}

impl Drop for Wait {
    fn drop(&mut self) {
        *self.of.spare.lock() = self.sleep.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::rt::Timer;

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_deadline() {
        let patience = Patience::default();
        let second = Duration::from_secs(1);
        let soon = second * 3 / 5;
        for _ in 0..3 {
            let start = Instant::now();
            patience.sleep(second).await;
            assert_eq!(start.elapsed(), second);
        }
        // Dropped before its time, as nearly all are; the next is not cut short.
        for _ in 0..3 {
            let start = Instant::now();
            let wait = patience.sleep(second);
            assert!(tokio::time::timeout(soon, wait).await.is_err());
            assert_eq!(start.elapsed(), soon);
        }
        let start = Instant::now();
        patience.sleep(second).await;
        assert_eq!(start.elapsed(), second);
    }
}
