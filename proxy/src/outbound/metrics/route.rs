//! Follows the requests of a route.

use crate::{
    http::{
        account::{Record, Summary},
        body::Frames,
        error::Kind,
    },
    metrics::{BackendMetrics, RouteMetrics, RouteProtocol},
};
use std::sync::Arc;

/// Handles of one route, and of what it sends to one backend.
pub struct ByProtocol<M> {
    pub(super) http: Arc<M>,
    pub(super) grpc: Arc<M>,
}

/// Follows one request of a route; counts it as cancelled when it is dropped
/// before it has ended.
pub struct RouteRecord {
    route: Arc<RouteMetrics>,
    backend: Arc<BackendMetrics>,
    protocol: RouteProtocol,
    ended: bool,
}

impl<M> ByProtocol<M> {
    fn of(&self, protocol: RouteProtocol) -> &Arc<M> {
        match protocol {
            RouteProtocol::Http => &self.http,
            RouteProtocol::Grpc => &self.grpc,
        }
    }
}

impl RouteRecord {
    /// Follows a request from a route to a backend.
    pub fn new(
        route: &ByProtocol<RouteMetrics>,
        backend: &ByProtocol<BackendMetrics>,
        grpc: bool,
    ) -> Self {
        let protocol = if grpc {
            RouteProtocol::Grpc
        } else {
            RouteProtocol::Http
        };
        let backend = backend.of(protocol).clone();
        backend.requests.increment(1);
        Self {
            route: route.of(protocol).clone(),
            backend,
            protocol,
            ended: false,
        }
    }

    /// Measures the request's frames.
    pub fn frames(&self) -> Frames {
        Frames(self.route.request_frame_size.clone())
    }

    /// Counts the request as not answered.
    pub fn failed(mut self, kind: Kind) {
        let error = match kind {
            Kind::FailFast => "FAIL_FAST",
            Kind::LoadShed => "LOAD_SHED",
            Kind::Timeout => "REQUEST_TIMEOUT",
            _ => "UNKNOWN",
        };
        self.unanswered(error);
    }

    fn unanswered(&mut self, error: &'static str) {
        self.ended = true;
        self.route.status(None, error);
        self.backend.status(None, error);
    }
}

impl Drop for RouteRecord {
    fn drop(&mut self) {
        if !self.ended {
            self.unanswered("CANCELED");
        }
    }
}

impl Record for RouteRecord {
    fn data(&mut self, bytes: usize) {
        self.backend.response_frame_size.record(bytes as f64);
    }

    fn done(&mut self, summary: &Summary) {
        self.ended = true;
        let status = match self.protocol {
            RouteProtocol::Http => Some(summary.status.as_u16()),
            RouteProtocol::Grpc => summary.grpc.map(u16::from),
        };
        let error = if summary.error.is_empty() {
            ""
        } else {
            "UNKNOWN"
        };
        let seconds = summary.duration.as_secs_f64();
        self.route.duration.record(seconds);
        self.route.status(status, error);
        self.backend.duration.record(seconds);
        self.backend.status(status, error);
    }
}
