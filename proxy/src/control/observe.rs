//! What a control-plane client tells about itself, so that metrics can count it
//! without the client knowing about metrics.

use bytes::Bytes;
use http_body::{Body, Frame};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::Instant;
use tonic::{Code, Status};

/// Hears of a client's DNS queries, connections and requests.
pub trait ControlObserver: Send + Sync + 'static {
    /// A name was looked up; `found` when there was at least one record
    /// (`control_dns_resolutions_total`).
    fn dns(&self, record: RecordType, found: bool) {
        let _ = (record, found);
    }

    /// An attempt to connect ended.
    fn connect(&self, ok: bool) {
        let _ = ok;
    }

    /// A request is about to be sent.
    fn request(&self) {}

    /// A response has begun, and not with an error.
    fn answered(&self) {}

    /// A response ended with `code`, `after` the request was sent; a stream that
    /// we gave up is [`Code::Cancelled`], one without an answer [`Code::Unavailable`].
    fn response(&self, code: Code, after: Duration) {
        let _ = (code, after);
    }
}

/// Hears nothing.
impl ControlObserver for () {}

/// The kind of a DNS query: the label `record_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordType {
    /// Service records.
    Srv,
    /// Addresses: A and AAAA together.
    Address,
}

/// One request on its way; tells its end exactly once.
pub(super) struct Exchange {
    observer: Arc<dyn ControlObserver>,
    sent: Instant,
    code: Code,
}

impl Exchange {
    pub(super) fn begin(observer: Arc<dyn ControlObserver>) -> Self {
        observer.request();
        Self {
            observer,
            sent: Instant::now(),
            code: Code::Cancelled,
        }
    }

    /// The request got no response.
    pub(super) fn fail(mut self) {
        self.code = Code::Unavailable;
    }

    /// Follows the response's body to its end.
    pub(super) fn follow<B>(mut self, response: http::Response<B>) -> http::Response<Observed<B>> {
        match Status::from_header_map(response.headers()) {
            Some(status) => self.code = status.code(),
            None => self.observer.answered(),
        }
        response.map(|inner| Observed {
            inner,
            exchange: self,
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.observer.response(self.code, self.sent.elapsed());
    }
}

pin_project_lite::pin_project! {
    /// A response body that notes the gRPC status in its trailers.
    pub(super) struct Observed<B> {
        #[pin]
        inner: B,
        exchange: Exchange,
    }
}

impl<B: Body<Data = Bytes>> Body for Observed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(status) = frame.trailers_ref().and_then(Status::from_header_map) {
                    this.exchange.code = status.code();
                }
            }
            Some(Err(_)) => this.exchange.code = Code::Unavailable,
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}
