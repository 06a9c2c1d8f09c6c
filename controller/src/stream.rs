//! One stream of updates to one client.
//!
//! A client is told when it reads: the gRPC server asks for the next message when the
//! connection has room for it, and that message is then made of the newest answer. So
//! a client that is slow, or has stopped reading, costs no memory, holds nobody up,
//! and hears of everything that it has missed in one message when it reads on. With
//! tens of thousands of streams that is also why none has a task or a queue of its
//! own. That a client is gone without a word shows in the pings of its connection.
//! Shutdown ends a stream with OK, which clients take as "connect again, elsewhere".

use crate::metrics::{OpenStream, Rpc};
use futures::Stream;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::watch;

/// What every stream is given.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Turns true when the controller is shutting down.
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// The messages of one stream.
pub(crate) struct Updates<T>(Pin<Box<dyn Stream<Item = T> + Send>>);

impl<T> Stream for Updates<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.as_mut().poll_next(cx)
    }
}

/// Starts a stream on a watch. `translate` makes messages of an answer, none
/// when the client need not hear of it; the present answer goes first.
pub(crate) fn start<A, I>(
    rpc: Rpc,
    limits: &Limits,
    answers: watch::Receiver<A>,
    translate: impl FnMut(&A) -> I + Send + 'static,
) -> Updates<I::Item>
where
    A: Send + Sync + 'static,
    I: IntoIterator<Item: Send + 'static, IntoIter: Send> + 'static,
{
    let source = Source {
        answers,
        shutdown: limits.shutdown.clone(),
        translate,
        told: None::<I::IntoIter>,
        _open: OpenStream::new(rpc),
    };
    Updates(Box::pin(futures::stream::unfold(source, Source::next)))
}

/// Where the messages of a stream come from.
struct Source<A, F, M> {
    answers: watch::Receiver<A>,
    shutdown: watch::Receiver<bool>,
    translate: F,
    /// Messages of the last answer that are left; none before the first.
    told: Option<M>,
    _open: OpenStream,
}

impl<A, F, I> Source<A, F, I::IntoIter>
where
    F: FnMut(&A) -> I,
    I: IntoIterator,
{
    async fn next(mut self) -> Option<(I::Item, Self)> {
        loop {
            if let Some(told) = &mut self.told {
                if let Some(message) = told.next() {
                    return Some((message, self));
                }
                tokio::select! {
                    biased;
                    _ = self.shutdown.wait_for(|down| *down) => return None,
                    changed = self.answers.changed() => changed.ok()?,
                }
            }
            let messages = (self.translate)(&self.answers.borrow_and_update());
            self.told = Some(messages.into_iter());
        }
    }
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

#[cfg(test)]
mod tests;
