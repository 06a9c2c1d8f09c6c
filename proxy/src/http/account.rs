//! Follows a response to its end and sums it up.
//!
//! Both directions count the same things: the time to the first byte, the
//! status, how gRPC ended, and whether the stream came to its end at all.

use super::{
    body::{End, Observe},
    classify::{self, of_grpc, of_status},
};
use crate::metrics::{Class, HttpEndpointMetrics};
use http::{Response, StatusCode};
use std::time::Duration;
use tokio::time::Instant;

/// What a response was, once it ended.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// HTTP status.
    pub status: StatusCode,
    /// Success or failure.
    pub class: Class,
    /// gRPC code, from trailers or headers.
    pub grpc: Option<u8>,
    /// Metric label: empty, `i/o` or `canceled`.
    pub error: &'static str,
    /// From the request to the first byte of the body, or to its end without one.
    pub latency: Duration,
    /// From the request to the end.
    pub duration: Duration,
}

impl Summary {
    /// Counts the response in `metrics`.
    pub fn count(&self, metrics: &HttpEndpointMetrics) {
        let status = Some(self.status.as_u16());
        metrics.response(status, self.class, self.grpc, self.error, self.latency);
    }
}

/// Takes what an [`Account`] finds out.
pub trait Record {
    /// A data frame of `bytes` bytes passed.
    fn data(&mut self, bytes: usize) {
        let _ = bytes;
    }

    /// The first byte is there, or the end without one; the class is what the
    /// head says.
    fn first_byte(&mut self, class: Class) {
        let _ = class;
    }

    /// The response has ended; called once, after [`Self::first_byte`].
    fn done(&mut self, summary: &Summary);
}

/// Accounts for one response.
#[derive(Debug)]
pub struct Account<R> {
    record: R,
    sent: Instant,
    latency: Option<Duration>,
    status: StatusCode,
    grpc: Option<u8>,
}

impl<R: Record> Account<R> {
    /// The account of `rsp`, whose request was sent at `sent`.
    pub fn new<B>(rsp: &Response<B>, sent: Instant, record: R) -> Self {
        Self {
            record,
            sent,
            latency: None,
            status: rsp.status(),
            grpc: classify::grpc_status(rsp.headers()),
        }
    }

    fn class(&self) -> Class {
        match self.grpc {
            Some(code) => of_grpc(code),
            None => of_status(self.status),
        }
    }

    fn first_byte(&mut self, after: impl FnOnce() -> Duration) -> Duration {
        if let Some(latency) = self.latency {
            return latency;
        }
        self.record.first_byte(self.class());
        *self.latency.insert(after())
    }
}

impl<R: Record> Observe for Account<R> {
    fn data(&mut self, bytes: usize) {
        let sent = self.sent;
        self.first_byte(|| sent.elapsed());
        self.record.data(bytes);
    }

    fn end(&mut self, end: End<'_>) {
        let error = match &end {
            End::Complete(trailers) => {
                self.grpc = trailers.and_then(classify::grpc_status).or(self.grpc);
                ""
            }
            End::Failed(_) => "i/o",
            End::Dropped => "canceled",
        };
        let class = match end {
            End::Failed(_) => Class::Failure,
            End::Complete(_) | End::Dropped => self.class(),
        };
        let duration = self.sent.elapsed();
        let latency = self.first_byte(|| duration);
        self.record.done(&Summary {
            status: self.status,
            class,
            grpc: self.grpc,
            error,
            latency,
            duration,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    #[derive(Default)]
    struct Seen(Vec<(Class, &'static str)>);
    impl Record for &mut Seen {
        fn first_byte(&mut self, class: Class) {
            self.0.push((class, "first byte"));
        }
        fn done(&mut self, summary: &Summary) {
            self.0.push((summary.class, summary.error));
        }
    }

    fn run(frames: usize, end: End<'_>) -> Vec<(Class, &'static str)> {
        let mut seen = Seen::default();
        let mut account = Account::new(&Response::new(()), Instant::now(), &mut seen);
        for _ in 0..frames {
            account.data(1);
        }
        account.end(end);
        seen.0
    }

    #[test]
    fn a_grpc_failure_is_told_by_its_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("14"));
        assert_eq!(
            run(2, End::Complete(Some(&trailers))),
            [(Class::Success, "first byte"), (Class::Failure, "")]
        );
    }

    #[test]
    fn an_empty_response_has_a_first_byte_too() {
        assert_eq!(
            run(0, End::Complete(None)),
            [(Class::Success, "first byte"), (Class::Success, "")]
        );
    }

    #[test]
    fn a_client_that_left_is_no_failure_of_the_server() {
        assert_eq!(run(1, End::Dropped)[1], (Class::Success, "canceled"));
    }
}
