//! What a response is to the balancer: load until it ended, and an outcome.

use crate::{
    http::{
        account::{Account, Record, Summary},
        body::Observed,
        client::{ClientBody, ClientResponse, SendError},
    },
    metrics::{Class, HttpEndpointMetrics},
    outbound::metrics,
};
use http::Response;
use mesh_balancer::{InFlight, Outcome, Track};
use std::sync::Arc;
use tokio::time::Instant;

/// A response with what is needed to account for it.
pub struct EndpointResponse {
    pub(super) rsp: ClientResponse,
    pub(super) metrics: Arc<HttpEndpointMetrics>,
    pub(super) sent: Instant,
}

/// The body of an endpoint's response; its end releases load and connection.
pub type EndpointBody = Observed<ClientBody, Account<Load>>;

/// A request that was sent and has no answer; counted as cancelled when it is
/// dropped.
pub(super) struct Unanswered<'a> {
    metrics: &'a HttpEndpointMetrics,
    sent: Instant,
    ended: bool,
}

/// Accounts for HTTP responses.
#[derive(Clone, Copy, Debug)]
pub struct HttpTrack;

/// Keeps a response's load until it ended.
pub struct Load {
    in_flight: InFlight,
    metrics: Arc<HttpEndpointMetrics>,
    outcome: Option<Class>,
}

impl Track<EndpointResponse> for HttpTrack {
    type Output = Response<EndpointBody>;

    fn track(&self, response: EndpointResponse, in_flight: InFlight) -> Self::Output {
        let EndpointResponse { rsp, metrics, sent } = response;
        let load = Load {
            in_flight,
            metrics,
            outcome: None,
        };
        let account = Account::new(&rsp, sent, load);
        rsp.map(|body| Observed::new(body, account))
    }
}

impl<'a> Unanswered<'a> {
    /// Counts a request that is sent now.
    pub(super) fn new(metrics: &'a HttpEndpointMetrics) -> Self {
        metrics.request();
        Self {
            metrics,
            sent: Instant::now(),
            ended: false,
        }
    }

    /// When it was sent, now that the answer's head is there.
    pub(super) fn answered(mut self) -> Instant {
        self.ended = true;
        self.sent
    }

    /// Counts why there will be no answer.
    pub(super) fn failed(mut self, error: &SendError) {
        self.ended = true;
        metrics::failed(self.metrics, error, self.sent.elapsed());
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.metrics.canceled(self.sent.elapsed());
        }
    }
}

impl Load {
    fn sample(&mut self, class: Class) {
        if self.outcome == Some(class) {
            return;
        }
        self.outcome = Some(class);
        let outcome = match class {
            Class::Success => Outcome::Success,
            Class::Failure => Outcome::Failure,
        };
        self.in_flight.first_byte(Instant::now(), outcome);
    }
}

impl Record for Load {
    fn first_byte(&mut self, class: Class) {
        self.sample(class);
    }

    fn done(&mut self, summary: &Summary) {
        // A failure told in the trailers came after the first byte had counted
        // as a success.
        if summary.class == Class::Failure {
            self.sample(Class::Failure);
        }
        summary.count(&self.metrics);
    }
}
