//! An answer that breaks off must not look complete, nor be lost.
//!
//! hyper drops a connection as soon as a body fails: with what it has not written
//! yet, be it the head, so that the client sees a bare close; and in a FIN, which
//! is the proper end of an answer to HTTP/1.0 that told no length. So a failure
//! waits until what came before it is written, and ends the connection of an
//! HTTP/1.0 client in a reset.

use crate::transport::io::{BoxIo, Io, forward};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::service::Service;
use pin_project_lite::pin_project;
use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether a connection ends in the middle of an answer. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Truncation(Arc<AtomicBool>);

/// The client's stream, which ends in a reset after a [`Truncation`].
pub struct Breakable {
    io: BoxIo,
    truncation: Truncation,
}

/// A service whose answers are watched.
#[derive(Clone, Debug)]
pub(super) struct Watched<S> {
    service: S,
    truncation: Truncation,
}

impl Truncation {
    /// Watches the answers of `service`.
    pub(super) fn watch<S>(&self, service: S) -> Watched<S> {
        Watched {
            service,
            truncation: self.clone(),
        }
    }
}

impl<S, In, Out> Service<Request<In>> for Watched<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
{
    type Response = Response<WatchedBody<Out>>;
    type Error = S::Error;
    type Future = WatchedFuture<S::Future>;

    fn call(&self, request: Request<In>) -> Self::Future {
        let is_old = request.version() == Version::HTTP_10;
        WatchedFuture {
            future: self.service.call(request),
            truncation: is_old.then(|| self.truncation.clone()),
        }
    }
}

pin_project! {
    /// Future of [`Watched`].
    pub(super) struct WatchedFuture<F> {
        #[pin]
        future: F,
        // Of a client to whom the end of the connection may be that of the answer.
        truncation: Option<Truncation>,
    }
}

impl<F, Out, E> Future for WatchedFuture<F>
where
    F: Future<Output = Result<Response<Out>, E>>,
{
    type Output = Result<Response<WatchedBody<Out>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        let truncation = this.truncation.take();
        Poll::Ready(answer.map(|answer| {
            answer.map(|body| WatchedBody {
                body,
                truncation,
                failed: None,
            })
        }))
    }
}

pin_project! {
    /// The body of an answer.
    pub(super) struct WatchedBody<B> {
        #[pin]
        body: B,
        truncation: Option<Truncation>,
        // Told when hyper has had its turn to write.
        failed: Option<hyper::Error>,
    }
}

impl<B> Body for WatchedBody<B>
where
    B: Body<Data = Bytes, Error = hyper::Error>,
{
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.project();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match ready!(this.body.poll_frame(cx)) {
            Some(Err(error)) => {
                if let Some(truncation) = this.truncation {
                    truncation.0.store(true, Relaxed);
                }
                *this.failed = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => Poll::Ready(frame),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Breakable {
    /// `io`, to be reset if `truncation` happens.
    pub(super) fn new(io: BoxIo, truncation: &Truncation) -> Self {
        Self {
            io,
            truncation: truncation.clone(),
        }
    }
}

impl Drop for Breakable {
    fn drop(&mut self) {
        if self.truncation.0.load(Relaxed) {
            self.io.reset_on_drop();
        }
    }
}

impl Io for Breakable {
    fn reset_on_drop(&self) {
        self.io.reset_on_drop();
    }
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Breakable {
    forward!(io: write, flush, shutdown);
}
