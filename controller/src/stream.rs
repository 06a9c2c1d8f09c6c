//! One stream of updates to one client.
//!
//! A task turns each new answer into a message and puts it in a bounded queue
//! that the gRPC server drains as fast as the client reads. A client that has
//! stopped reading must cost a bounded amount of memory, and must not go on
//! with an old view for ever: when its queue is full the stream ends with
//! RESOURCE_EXHAUSTED, after what was queued, and is counted. The client then
//! asks again and starts from a fresh snapshot. Shutdown ends a stream with OK,
//! which clients take as "connect again, elsewhere".

use crate::metrics::{OpenStream, Rpc};
use futures::Stream;
use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};
use tokio::sync::{mpsc, watch};
use tonic::Status;

/// What every stream is given.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Messages that may wait for the client.
    pub(crate) queue: usize,
    /// Turns true when the controller is shutting down.
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// The messages of one stream, then its end.
#[derive(Debug)]
pub(crate) struct Updates<T> {
    messages: mpsc::Receiver<T>,
    error: Arc<OnceLock<Status>>,
    failed: bool,
}

impl<T> Stream for Updates<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.messages.poll_recv(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(message)) => Poll::Ready(Some(Ok(message))),
            Poll::Ready(None) if self.failed => Poll::Ready(None),
            Poll::Ready(None) => {
                self.failed = true;
                Poll::Ready(self.error.get().cloned().map(Err))
            }
        }
    }
}

/// Starts a stream on a watch. `translate` makes messages of an answer, none
/// when the client need not hear of it; the present answer goes first.
pub(crate) fn start<A, I>(
    rpc: Rpc,
    limits: &Limits,
    mut answers: watch::Receiver<A>,
    mut translate: impl FnMut(&A) -> I + Send + 'static,
) -> Updates<I::Item>
where
    A: Send + Sync + 'static,
    I: IntoIterator<Item: Send + 'static>,
{
    let (sender, messages) = mpsc::channel(limits.queue.max(1));
    let error = Arc::new(OnceLock::new());
    let updates = Updates {
        messages,
        error: error.clone(),
        failed: false,
    };
    let open = OpenStream::new(rpc);
    let first = translate(&answers.borrow_and_update());
    let mut fits = enqueue(&sender, first);
    let shutdown = limits.shutdown.clone();
    tokio::spawn(async move {
        while fits && next_change(&sender, &mut answers, shutdown.clone()).await {
            let messages = translate(&answers.borrow_and_update());
            fits = enqueue(&sender, messages);
        }
        if !fits && !sender.is_closed() {
            open.overflowed();
            let _ = error.set(overflow(rpc));
        }
    });
    updates
}

/// For answers of which the client needs the latest: makes a message of each
/// new one. A target that goes away is no news, since it may be back in a
/// moment; nor is its return as it was.
pub(crate) fn latest<V: PartialEq, T>(
    message: impl Fn(&V) -> T,
) -> impl FnMut(&Option<Arc<V>>) -> Option<T> {
    let mut last: Option<Arc<V>> = None;
    move |answer| {
        let new = answer.as_ref().filter(|new| last.as_ref() != Some(new))?;
        last = Some(new.clone());
        Some(message(new))
    }
}

/// Queues messages; false when one did not fit.
fn enqueue<T>(sender: &mpsc::Sender<T>, messages: impl IntoIterator<Item = T>) -> bool {
    let mut messages = messages.into_iter();
    messages.all(|message| sender.try_send(message).is_ok())
}

/// Waits for a new answer; false when the stream has to end.
async fn next_change<A, T>(
    sender: &mpsc::Sender<T>,
    answers: &mut watch::Receiver<A>,
    mut shutdown: watch::Receiver<bool>,
) -> bool {
    tokio::select! {
        biased;
        _ = shutdown.wait_for(|down| *down) => false,
        () = sender.closed() => false,
        changed = answers.changed() => changed.is_ok(),
    }
}

fn overflow(rpc: Rpc) -> Status {
    Status::resource_exhausted(format!(
        "{} ended: the client has stopped reading its updates; ask again for a fresh snapshot",
        rpc.name()
    ))
}

#[cfg(test)]
mod tests;
