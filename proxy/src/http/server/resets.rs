//! How fast one HTTP/2 connection resets its streams.

use crate::limits::{ResetBudget, TooManyResets};
use http::Request;
use hyper::body::Incoming;
use parking_lot::Mutex;
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{sync::Notify, time::Instant};
use tower_service::Service;

/// Counts the streams of one connection that the client reset.
#[derive(Debug)]
pub(super) struct Resets {
    budget: Mutex<ResetBudget>,
    exceeded: Mutex<Option<TooManyResets>>,
    wake: Notify,
}

impl Resets {
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            budget: Mutex::new(ResetBudget::new(per_second, burst, Instant::now())),
            exceeded: Mutex::new(None),
            wake: Notify::new(),
        }
    }

    fn count(&self) {
        if let Err(error) = self.budget.lock().reset(Instant::now()) {
            *self.exceeded.lock() = Some(error);
            self.wake.notify_one();
        }
    }

    pub(super) async fn exceeded(&self) -> TooManyResets {
        loop {
            self.wake.notified().await;
            if let Some(error) = *self.exceeded.lock() {
                return error;
            }
        }
    }
}

/// hyper drops the future of a stream that is reset before it was answered.
#[derive(Clone, Debug)]
pub(super) struct CountResets<S> {
    pub(super) inner: S,
    pub(super) resets: Arc<Resets>,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for CountResets<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = CountResetsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, req: Request<Incoming>) -> Self::Future {
        CountResetsFuture {
            inner: self.inner.call(req),
            resets: Some(self.resets.clone()),
        }
    }
}

pin_project! {
    pub(super) struct CountResetsFuture<F> {
        #[pin]
        inner: F,
        // Taken when answered.
        resets: Option<Arc<Resets>>,
    }

    impl<F> PinnedDrop for CountResetsFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(resets) = this.project().resets.take() {
                resets.count();
            }
        }
    }
}

impl<F: Future> Future for CountResetsFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = std::task::ready!(this.inner.poll(cx));
        this.resets.take();
        Poll::Ready(output)
    }
}
