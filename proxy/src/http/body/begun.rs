//! A response body whose beginning was looked at, before its head went on.
//!
//! A server that breaks off right after the head has said nothing yet: as long as
//! nothing was passed on either, that is still an error with an answer of its own,
//! and no answer that breaks off. What is there is looked at, not waited for.

use bytes::Bytes;
use futures::future::poll_fn;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// See the module.
#[derive(Debug)]
pub struct Begun<B> {
    first: Option<Frame<Bytes>>,
    body: B,
}

impl<B: Body<Data = Bytes> + Unpin> Begun<B> {
    /// `rsp`, unless its body has failed already.
    ///
    /// # Errors
    /// The body's failure.
    pub async fn of(rsp: Response<B>) -> Result<Response<Self>, B::Error> {
        let (head, mut body) = rsp.into_parts();
        let mut first = None;
        if !body.is_end_stream() {
            let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx)));
            if let Poll::Ready(Some(frame)) = polled.await {
                first = Some(frame?);
            }
        }
        Ok(Response::from_parts(head, Self { first, body }))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Begun<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.first.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().and_then(Frame::data_ref);
        let first = first.map_or(0, Bytes::len) as u64;
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + first);
        }
        hint.set_lower(rest.lower() + first);
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body_util::{BodyExt, Full, StreamBody};

    #[tokio::test]
    async fn nothing_is_lost_by_looking() {
        let rsp = Response::new(Full::new(Bytes::from("whole")));
        let body = Begun::of(rsp).await.unwrap().into_body();
        assert_eq!(body.size_hint().exact(), Some(5));
        assert!(!body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "whole");
    }

    #[tokio::test]
    async fn a_failure_that_is_there_is_told_and_none_is_waited_for() {
        let frames = stream::iter([Err::<Frame<Bytes>, _>("broken")]);
        let rsp = Response::new(StreamBody::new(frames));
        assert_eq!(Begun::of(rsp).await.unwrap_err(), "broken");

        let silent = stream::pending::<Result<Frame<Bytes>, &str>>();
        let body = Begun::of(Response::new(StreamBody::new(silent))).await;
        assert!(body.is_ok());
    }
}
