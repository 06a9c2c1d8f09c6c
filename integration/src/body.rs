//! Bodies that tests send, and what they read of others'.

use bytes::Bytes;
use futures::channel::mpsc;
use http::HeaderMap;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Body, Frame};
use std::io;

/// Any body of a test.
pub type TestBody = BoxBody<Bytes, io::Error>;

/// Sends frames while a message is under way; dropping it ends the body,
/// [`Sender::fail`] breaks it off.
#[derive(Debug)]
pub struct Sender(mpsc::Sender<Result<Frame<Bytes>, io::Error>>);

/// No body.
pub fn empty() -> TestBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// A body whose length is known.
pub fn full(data: impl Into<Bytes>) -> TestBody {
    Full::new(data.into())
        .map_err(|never| match never {})
        .boxed()
}

/// A body that is sent piece by piece; one piece waits for the consumer.
pub fn channel() -> (Sender, TestBody) {
    let (tx, rx) = mpsc::channel(0);
    (Sender(tx), StreamBody::new(rx).boxed())
}

impl Sender {
    /// Sends a piece; false when the other side is no longer interested.
    pub async fn data(&mut self, data: impl Into<Bytes>) -> bool {
        self.frame(Ok(Frame::data(data.into()))).await
    }

    /// Ends with trailers.
    pub async fn trailers(mut self, trailers: &[(&'static str, &'static str)]) {
        self.frame(Ok(Frame::trailers(headers(trailers)))).await;
    }

    /// Breaks off.
    pub async fn fail(mut self) {
        self.frame(Err(io::Error::other("broken off by the test")))
            .await;
    }

    /// Whether nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    async fn frame(&mut self, frame: Result<Frame<Bytes>, io::Error>) -> bool {
        use futures::SinkExt;
        self.0.send(frame).await.is_ok()
    }
}

/// Header fields from pairs.
pub fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

/// The next data, or `None` at the end or at trailers.
///
/// # Errors
/// When the body breaks.
pub async fn next<B>(body: &mut B) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    match body.frame().await {
        Some(Ok(frame)) => Ok(frame.into_data().ok()),
        Some(Err(error)) => Err(error),
        None => Ok(None),
    }
}
