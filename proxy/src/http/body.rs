//! Bodies that tell how they ended.
//!
//! Load, metrics and pooled connections all hang on the end of a response, and
//! a response ends in four ways: by its last frame, by trailers, by an error,
//! or because nobody wants it any more. [`Observed`] reports exactly one of
//! them, however the consumer polls: hyper does not ask again after a frame
//! that leaves `is_end_stream`, so the end is looked for after every frame.

mod begun;
mod replay;

pub use begun::Begun;
pub use replay::{Kept, Replay};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// How a body ended.
#[derive(Debug)]
pub enum End<'a> {
    /// Completely; with trailers if there were any.
    Complete(Option<&'a HeaderMap>),
    /// The sender failed.
    Failed(&'a hyper::Error),
    /// The receiver went away.
    Dropped,
}

/// Sees a body pass.
pub trait Observe {
    /// A data frame of `bytes` bytes; the first call is the first byte.
    fn data(&mut self, bytes: usize);
    /// Called exactly once.
    fn end(&mut self, end: End<'_>);
}

/// Two observers as one; the inner, nearer to the source, is told first.
impl<A: Observe, B: Observe> Observe for (A, B) {
    fn data(&mut self, bytes: usize) {
        self.0.data(bytes);
        self.1.data(bytes);
    }

    fn end(&mut self, end: End<'_>) {
        match end {
            End::Complete(trailers) => {
                self.0.end(End::Complete(trailers));
                self.1.end(End::Complete(trailers));
            }
            End::Failed(error) => {
                self.0.end(End::Failed(error));
                self.1.end(End::Failed(error));
            }
            End::Dropped => {
                self.0.end(End::Dropped);
                self.1.end(End::Dropped);
            }
        }
    }
}

/// A body with an observer.
#[derive(Debug)]
pub struct Observed<B, O: Observe> {
    body: B,
    observer: O,
    ended: bool,
}

impl<B: Body, O: Observe> Observed<B, O> {
    /// Watches `body`; one that is already at its end is reported at once.
    pub fn new(body: B, mut observer: O) -> Self {
        let ended = body.is_end_stream();
        if ended {
            observer.end(End::Complete(None));
        }
        Self {
            body,
            observer,
            ended,
        }
    }
}

impl<B, O> Body for Observed<B, O>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
    O: Observe + Unpin,
{
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            this.observer.data(data.remaining());
        }
        if !this.ended {
            let end = match &frame {
                None => Some(End::Complete(None)),
                Some(Err(error)) => Some(End::Failed(error)),
                Some(Ok(frame)) if frame.is_trailers() => Some(End::Complete(frame.trailers_ref())),
                Some(Ok(_)) => this.body.is_end_stream().then_some(End::Complete(None)),
            };
            if let Some(end) = end {
                this.ended = true;
                this.observer.end(end);
            }
        }
        Poll::Ready(frame)
    }

    /// Layers ask each other after each frame, and an HTTP/2 body takes a lock to
    /// answer: what is known is not asked again.
    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B, O: Observe> Drop for Observed<B, O> {
    fn drop(&mut self) {
        if !self.ended {
            self.observer.end(End::Dropped);
        }
    }
}

/// Measures the data frames of a body.
#[derive(Clone, Debug)]
pub struct Frames(pub metrics::Histogram);

impl Observe for Frames {
    fn data(&mut self, bytes: usize) {
        self.0.record(bytes as f64);
    }

    fn end(&mut self, _: End<'_>) {}
}

/// A request body on its way to a server.
pub type RequestBody = Replay<Observed<Incoming, Frames>>;

/// A response body: from upstream, or the proxy's own (an error, a notice).
#[derive(Debug)]
pub enum ResponseBody<B> {
    /// Passed through.
    Upstream(B),
    /// The proxy's own words, if any.
    Own(Option<Bytes>),
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut *self {
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Upstream(body) => body.is_end_stream(),
            Self::Own(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Upstream(body) => body.size_hint(),
            Self::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, |t| t.len() as u64)),
        }
    }
}
