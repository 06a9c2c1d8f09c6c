//! What passes between the stream under hyper and the service above it.

use super::machine::Part;
use super::violation::Violation;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

/// What the service's side tells and asks a [`Guarded`](super::Guarded) stream.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) violation: OnceLock<(Violation, Part)>,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    count: u64,
    tunnel: bool,
    waiting: Option<Waker>,
}

impl Handle {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Why the connection was refused, if it was; for the log and the metric.
    pub fn violation(&self) -> Option<&'static str> {
        self.0
            .violation
            .get()
            .map(|(violation, _)| violation.reason())
    }

    /// The violation in the body of the request being read, if there was one. A
    /// request with a body in chunks has the handle among its extensions, as the
    /// error of a request that failed for it may say nothing of it.
    pub fn in_body(&self) -> Option<Violation> {
        let violation = self.0.violation.get();
        violation.and_then(|(violation, part)| (*part == Part::Body).then_some(*violation))
    }

    /// Tells that the next request was answered, and whether the answer makes a
    /// tunnel of the connection. [`Handle::watch`] calls it for every answer.
    pub(super) fn answered(&self, tunnel: bool) {
        let mut answers = self.0.answers.lock();
        answers.count += 1;
        answers.tunnel |= tunnel;
        if let Some(waker) = answers.waiting.take() {
            waker.wake();
        }
    }
}

impl Shared {
    /// Whether the connection is a tunnel, once `requests` were answered.
    pub(super) fn poll_answer(&self, cx: &mut Context<'_>, requests: u64) -> Poll<bool> {
        let mut answers = self.answers.lock();
        if answers.count >= requests {
            return Poll::Ready(answers.tunnel);
        }
        answers.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}
