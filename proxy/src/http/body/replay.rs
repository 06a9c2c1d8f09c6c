//! A request body that can be sent a second time, while it is small and nobody
//! has answered.
//!
//! A server that stops says in its GOAWAY which streams it has seen. One that
//! was on its way then is certainly not processed (RFC 9113 section 6.8), and
//! to fail it would be to drop a request; but hyper has taken its head, and
//! perhaps the first frames of its body. So these are kept until the head of the
//! response is there. Frames are shared, not copied; a body of which more than
//! [`LIMIT`] was sent without an answer can't be sent again.

use bytes::Bytes;
use http::{HeaderMap, Request, request::Parts};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Bytes that are kept of a body: enough for most calls, and no burden when
/// thousands wait for an answer.
const LIMIT: usize = 16 << 10;

/// A body that may be kept for another attempt.
#[derive(Debug)]
pub struct Replay<B> {
    shared: Arc<Mutex<Shared<B>>>,
    /// Which attempt this is: hyper may hold an earlier one a little longer.
    attempt: u32,
}

/// A request that is being sent, as it was. Dropped, nothing more is kept.
#[derive(Debug)]
pub struct Kept<B> {
    head: Parts,
    shared: Arc<Mutex<Shared<B>>>,
}

#[derive(Debug)]
struct Shared<B> {
    body: B,
    ended: bool,
    attempt: u32,
    /// Frames that were sent, and which of them this attempt sends next.
    kept: Vec<Piece>,
    next: usize,
    bytes: usize,
    keeping: bool,
    /// All that was sent is kept.
    whole: bool,
}

/// A frame.
#[derive(Clone, Debug)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl<B> Replay<B> {
    /// Keeps nothing until it is asked to.
    pub fn new(body: B) -> Self {
        let shared = Shared {
            body,
            ended: false,
            attempt: 0,
            kept: Vec::new(),
            next: 0,
            bytes: 0,
            keeping: false,
            whole: true,
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            attempt: 0,
        }
    }
}

impl<B> Kept<B> {
    /// Keeps `req`, which is about to be sent.
    pub fn of(req: &Request<Replay<B>>) -> Self {
        let mut head = empty();
        head.method = req.method().clone();
        head.uri = req.uri().clone();
        head.version = req.version();
        head.headers = req.headers().clone();
        head.extensions = req.extensions().clone();
        let shared = req.body().shared.clone();
        shared.lock().keeping = true;
        Self { head, shared }
    }

    /// The request as it was, unless too much of it is gone. The one that was
    /// sent has no body from now on.
    pub fn again(mut self) -> Option<Request<Replay<B>>> {
        let attempt = self.shared.lock().again()?;
        let head = mem::replace(&mut self.head, empty());
        let shared = self.shared.clone();
        Some(Request::from_parts(head, Replay { shared, attempt }))
    }
}

impl<B> Drop for Kept<B> {
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        shared.keeping = false;
        // What is to be sent again is needed until it is.
        if shared.next == shared.kept.len() && !shared.kept.is_empty() {
            shared.lose();
        }
    }
}

fn empty() -> Parts {
    Request::new(()).into_parts().0
}

impl<B> Shared<B> {
    /// Starts over.
    fn again(&mut self) -> Option<u32> {
        self.whole.then(|| {
            self.attempt += 1;
            self.next = 0;
            self.attempt
        })
    }

    fn keep(&mut self, frame: &Frame<Bytes>) {
        let piece = Piece::of(frame);
        let len = piece.as_ref().map_or(0, Piece::len);
        match piece {
            Some(piece) if self.keeping && self.whole && self.bytes + len <= LIMIT => {
                self.bytes += len;
                self.kept.push(piece);
                self.next = self.kept.len();
            }
            _ => self.lose(),
        }
    }

    fn lose(&mut self) {
        self.whole = false;
        self.kept = Vec::new();
        self.next = 0;
    }
}

impl<B> Shared<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(piece) = self.kept.get(self.next) {
            self.next += 1;
            return Poll::Ready(Some(Ok(piece.clone().into())));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.keep(frame),
            Some(Err(_)) => self.lose(),
            None => self.ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.kept.len() && (self.ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let again = self.kept[self.next..].iter().map(Piece::len).sum::<usize>() as u64;
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + again);
        }
        hint.set_lower(rest.lower() + again);
        hint
    }
}

impl<B> Body for Replay<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut shared = self.shared.lock();
        if shared.attempt != self.attempt {
            // Of a stream that is no more.
            return Poll::Ready(None);
        }
        shared.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.shared.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.shared.lock().size_hint()
    }
}

impl Piece {
    fn of(frame: &Frame<Bytes>) -> Option<Self> {
        match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Some(Self::Data(data.clone())),
            (None, Some(trailers)) => Some(Self::Trailers(trailers.clone())),
            (None, None) => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Data(data) => data.len(),
            Self::Trailers(_) => 0,
        }
    }
}

impl From<Piece> for Frame<Bytes> {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Data(data) => Self::data(data),
            Piece::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}

#[cfg(test)]
mod tests;
