//! Follows requests to the application.

use crate::{
    http::{
        account::{Record, Summary},
        body::Frames,
        error::Kind,
    },
    metrics::{Class, HttpEndpointMetrics, InboundHttpMetrics, RouteProtocol},
};
use std::sync::Arc;
use tokio::time::Instant;

/// Follows one request to the application; counts it as cancelled when it is
/// dropped before it has ended.
pub struct AppRecord {
    pub(super) endpoint: Arc<HttpEndpointMetrics>,
    pub(super) route: Arc<InboundHttpMetrics>,
    pub(super) protocol: RouteProtocol,
    pub(super) sent: Instant,
    pub(super) ended: bool,
}

impl AppRecord {
    /// Measures the request's frames.
    pub fn frames(&self) -> Frames {
        Frames(self.route.request_frame_size.clone())
    }

    /// When the request came.
    pub fn sent(&self) -> Instant {
        self.sent
    }

    /// Counts the request as not answered.
    pub fn failed(mut self, kind: Kind) {
        self.ended = true;
        let (error, latency) = (kind.row().label, self.sent.elapsed());
        self.endpoint
            .response(None, Class::Failure, None, error, latency);
        self.route.status(None);
    }
}

impl Drop for AppRecord {
    fn drop(&mut self) {
        if !self.ended {
            self.endpoint.canceled(self.sent.elapsed());
            self.route.status(None);
        }
    }
}

impl Record for AppRecord {
    fn data(&mut self, bytes: usize) {
        self.route.response_frame_size.record(bytes as f64);
    }

    fn done(&mut self, summary: &Summary) {
        self.ended = true;
        summary.count(&self.endpoint);
        let status = match self.protocol {
            RouteProtocol::Http => Some(summary.status.as_u16()),
            RouteProtocol::Grpc => summary.grpc.map(u16::from),
        };
        self.route.status(status);
        let seconds = summary.duration.as_secs_f64();
        self.route.request_duration.record(seconds);
        self.route.response_duration.record(seconds);
    }
}
