//! All futures of an HTTP/2 connection in one task.
//!
//! hyper has a future for each stream, and hands them to an executor. As tasks of
//! the runtime each would cost an allocation with room for the largest of them (the
//! connection itself, 2 kB), aligned as glibc's malloc keeps no list of, copies of
//! all that, and a turn of the scheduler for each wake. Nothing is gained by it: they
//! work for one connection, on one thread. Here they take their turns within the
//! connection's own task, and a read that answers many streams is one turn.

use futures::stream::{FuturesUnordered, Stream};
use hyper::rt::Executor;
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use std::{
    future::pending,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes what hyper would spawn. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Spawned(Arc<Mutex<Vec<BoxFuture>>>);

impl<F> Executor<F> for Spawned
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.lock().push(Box::pin(future));
    }
}

pin_project! {
    /// A connection with what it has spawned: over when all of that is.
    pub(crate) struct OneTask<C: Future> {
        // Dropped when it is done, by which h2 tells the streams.
        #[pin]
        connection: Option<C>,
        output: Option<C::Output>,
        spawned: Spawned,
        // And one that never ends: when all have been polled, this gives the task
        // another turn, which is for nothing.
        running: FuturesUnordered<BoxFuture>,
    }
}

impl<C: Future> OneTask<C> {
    /// `connection`, which has `spawned` as its executor.
    pub(crate) fn new(connection: C, spawned: Spawned) -> Self {
        Self {
            connection: Some(connection),
            output: None,
            spawned,
            running: FuturesUnordered::from_iter([Box::pin(pending()) as BoxFuture]),
        }
    }

    /// The connection, unless it is done.
    pub(crate) fn connection(self: Pin<&mut Self>) -> Option<Pin<&mut C>> {
        self.project().connection.as_pin_mut()
    }
}

impl<C: Future> Future for OneTask<C> {
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let mut this = self.project();
        if let Some(connection) = this.connection.as_mut().as_pin_mut()
            && let Poll::Ready(output) = connection.poll(cx)
        {
            *this.output = Some(output);
            this.connection.set(None);
        }
        loop {
            this.running.extend(this.spawned.0.lock().drain(..));
            while let Poll::Ready(Some(())) = Pin::new(&mut *this.running).poll_next(cx) {}
            // One of them may have spawned another.
            if this.spawned.0.lock().is_empty() {
                break;
            }
        }
        match this.output.take_if(|_| this.running.len() == 1) {
            Some(output) => Poll::Ready(output),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use tokio::sync::oneshot;
    use tokio_test::{assert_pending, assert_ready_eq, task};

    #[test]
    fn what_is_spawned_runs_and_is_waited_for() {
        let spawned = Spawned::default();
        let (done, counted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (end, ended) = oneshot::channel::<()>();
        let (inner, count) = (spawned.clone(), counted.clone());
        // A stream that spawns another one, which waits.
        spawned.execute(async move {
            let waits = async move {
                ended.await.unwrap();
                count.fetch_add(1, Relaxed);
            };
            inner.execute(waits);
        });
        let over = done.clone();
        let connection = async move {
            over.fetch_add(1, Relaxed);
            7
        };
        let mut task = task::spawn(OneTask::new(connection, spawned));
        assert_pending!(task.poll());
        assert_eq!((done.load(Relaxed), counted.load(Relaxed)), (1, 0));
        assert!(!task.is_woken());
        end.send(()).unwrap();
        assert!(task.is_woken());
        assert_ready_eq!(task.poll(), 7);
        assert_eq!(counted.load(Relaxed), 1);
    }

    #[test]
    fn a_connection_that_is_done_is_dropped_first() {
        let (alive, gone) = oneshot::channel::<()>();
        let spawned = Spawned::default();
        spawned.execute(async move {
            let _ = gone.await;
        });
        let connection = async move { drop(alive) };
        let mut task = task::spawn(OneTask::new(connection, spawned));
        assert_ready_eq!(task.poll(), ());
    }
}
