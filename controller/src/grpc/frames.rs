//! Streams of updates as bodies of their own, past those of tonic.
//!
//! tonic gives each stream a buffer of 8 KiB for its messages and keeps it as long as
//! the stream, which for tens of thousands of streams that say something once an hour
//! is nearly all the memory that they take. Here a message is encoded into as many
//! bytes as it has, and nothing is kept once they are sent.
//!
//! The generated servers know nothing of this: they are given a stream without
//! messages, and beside it, among the response's extensions, the body that takes its
//! place when the response passes by ([`put_in_place`]).

use crate::stream::Updates;
use bytes::{BufMut, Bytes};
use futures::Stream;
use http_body::Frame;
use parking_lot::Mutex;
use prost::Message;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tonic::{
    Response, Status,
    body::Body,
    codegen::http::{self, HeaderMap, HeaderName, HeaderValue},
};

/// What the generated servers are given.
pub(crate) type Unframed<T> = futures::stream::Empty<Result<T, Status>>;

/// Before each message: not compressed, and its length.
const PREFIX: usize = 5;

/// A response whose messages are these.
pub(crate) fn response<T>(updates: Updates<T>) -> Response<Unframed<T>>
where
    T: Message + 'static,
{
    let body = Body::new(Frames {
        updates,
        ended: false,
    });
    let mut response = Response::new(futures::stream::empty());
    let aside = Aside(Arc::new(Mutex::new(Some(body))));
    response.extensions_mut().insert(aside);
    response
}

/// Gives a response of [`response`] its body; others stay as they are.
pub(super) fn put_in_place(mut response: http::Response<Body>) -> http::Response<Body> {
    let aside = response.extensions_mut().remove::<Aside>();
    if let Some(body) = aside.and_then(|Aside(body)| body.lock().take()) {
        *response.body_mut() = body;
    }
    response
}

/// Extensions have to be `Clone` and `Sync`.
#[derive(Clone)]
struct Aside(Arc<Mutex<Option<Body>>>);

struct Frames<T> {
    updates: Updates<T>,
    ended: bool,
}

impl<T: Message> http_body::Body for Frames<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = match ready!(Pin::new(&mut self.updates).poll_next(cx)) {
            Some(message) => Frame::data(encoded(&message)),
            None => {
                self.ended = true;
                Frame::trailers(ok())
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }
}

fn encoded(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).expect("a message is far below 4 GiB"));
    message.encode_raw(&mut bytes);
    bytes.into()
}

fn ok() -> HeaderMap {
    let status = HeaderName::from_static("grpc-status");
    HeaderMap::from_iter([(status, HeaderValue::from_static("0"))])
}
