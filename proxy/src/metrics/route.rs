//! Requests as routes and backends (outbound) and as the application (inbound)
//! see them.

use super::{Metrics, family::Family, labels::Labels, names, registry::Registry, table::Table};
use crate::policy::Metadata;
use ::metrics::{Counter, Histogram};
use std::sync::Arc;

/// Which families a route's requests are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteProtocol {
    /// By HTTP status.
    Http,
    /// By gRPC status.
    Grpc,
}

/// One route of an outbound target.
#[derive(Debug)]
pub struct RouteMetrics {
    /// Seconds from the request's headers to the end of the response.
    pub duration: Histogram,
    /// Bytes of each data frame of requests.
    pub request_frame_size: Histogram,
    statuses: Statuses,
}

/// One backend of an outbound route.
#[derive(Debug)]
pub struct BackendMetrics {
    /// Requests sent to it, retries too.
    pub requests: Counter,
    /// Seconds from the end of the request to the end of the response.
    pub duration: Histogram,
    /// Bytes of each data frame of responses.
    pub response_frame_size: Histogram,
    statuses: Statuses,
}

/// One route of an inbound port.
#[derive(Debug)]
pub struct InboundHttpMetrics {
    /// Requests sent to the application.
    pub requests: Counter,
    /// Seconds from the request's headers to the end of the response.
    pub request_duration: Histogram,
    /// Seconds from the end of the request to the end of the response.
    pub response_duration: Histogram,
    /// Bytes of each data frame of requests.
    pub request_frame_size: Histogram,
    /// Bytes of each data frame of responses.
    pub response_frame_size: Histogram,
    statuses: Statuses,
}

/// A counter per status and error.
#[derive(Debug)]
struct Statuses {
    by_status: Table<(Option<u16>, &'static str), Counter>,
    family: &'static Family,
    /// What the family calls the status.
    name: &'static str,
    /// Whether the family tells errors apart.
    errors: bool,
    labels: Labels,
    registry: Arc<Registry>,
}

impl Metrics {
    /// Requests that matched `route` of `parent`. `hostname` is a label only where
    /// `OUTBOUND_METRICS_HOSTNAME_LABELS` is on, since clients choose it.
    pub fn route(
        &self,
        protocol: RouteProtocol,
        parent: &Metadata,
        route: &Metadata,
        hostname: Option<&str>,
    ) -> Arc<RouteMetrics> {
        let wanted = self.registry.config().hostname_labels;
        let hostname = hostname.filter(|_| wanted).unwrap_or_default().to_owned();
        let labels = Labels::new().parent(parent).outbound_route(route);
        let labels = labels.with("hostname", hostname);
        let (duration, frames, statuses) = match protocol {
            RouteProtocol::Http => (
                &names::HTTP_ROUTE_EXCHANGE,
                &names::HTTP_ROUTE_FRAMES_IN,
                &names::HTTP_ROUTE_STATUSES,
            ),
            RouteProtocol::Grpc => (
                &names::GRPC_ROUTE_EXCHANGE,
                &names::GRPC_ROUTE_FRAMES_IN,
                &names::GRPC_ROUTE_STATUSES,
            ),
        };
        Arc::new(RouteMetrics {
            duration: self.registry.histogram(duration, &labels),
            request_frame_size: self.registry.histogram(frames, &labels),
            statuses: self.statuses(statuses, protocol.status(), labels),
        })
    }

    /// Requests that `route` of `parent` sent to `backend`.
    pub fn route_backend(
        &self,
        protocol: RouteProtocol,
        parent: &Metadata,
        route: &Metadata,
        backend: &Metadata,
    ) -> Arc<BackendMetrics> {
        let labels = Labels::new().parent(parent).outbound_route(route);
        let labels = labels.backend(backend);
        let (requests, duration, frames, statuses) = match protocol {
            RouteProtocol::Http => (
                &names::HTTP_BACKEND_REQUESTS,
                &names::HTTP_BACKEND_ANSWER,
                &names::HTTP_BACKEND_FRAMES_OUT,
                &names::HTTP_BACKEND_STATUSES,
            ),
            RouteProtocol::Grpc => (
                &names::GRPC_BACKEND_REQUESTS,
                &names::GRPC_BACKEND_ANSWER,
                &names::GRPC_BACKEND_FRAMES_OUT,
                &names::GRPC_BACKEND_STATUSES,
            ),
        };
        Arc::new(BackendMetrics {
            requests: self.registry.counter(requests, &labels),
            duration: self.registry.histogram(duration, &labels),
            response_frame_size: self.registry.histogram(frames, &labels),
            statuses: self.statuses(statuses, protocol.status(), labels),
        })
    }

    /// Requests that matched `route` of the policy `server` on `port`.
    pub fn inbound_http(
        &self,
        protocol: RouteProtocol,
        server: &Metadata,
        port: u16,
        route: &Metadata,
    ) -> Arc<InboundHttpMetrics> {
        let labels = Labels::new().inbound_parent(server, port).route(route);
        let families = protocol.inbound();
        let mut statuses = self.statuses(families.statuses, "status", labels.clone());
        statuses.errors = false;
        Arc::new(InboundHttpMetrics {
            requests: self.registry.counter(families.requests, &labels),
            request_duration: self.registry.histogram(families.exchange, &labels),
            response_duration: self.registry.histogram(families.answer, &labels),
            request_frame_size: self.registry.histogram(families.frames_in, &labels),
            response_frame_size: self.registry.histogram(families.frames_out, &labels),
            statuses,
        })
    }

    fn statuses(&self, family: &'static Family, name: &'static str, labels: Labels) -> Statuses {
        Statuses {
            by_status: Table::default(),
            family,
            name,
            errors: true,
            labels,
            registry: self.registry.clone(),
        }
    }
}

struct InboundFamilies {
    requests: &'static Family,
    exchange: &'static Family,
    answer: &'static Family,
    frames_in: &'static Family,
    frames_out: &'static Family,
    statuses: &'static Family,
}

impl RouteProtocol {
    fn status(self) -> &'static str {
        match self {
            Self::Http => "http_status",
            Self::Grpc => "grpc_status",
        }
    }

    fn inbound(self) -> InboundFamilies {
        match self {
            Self::Http => InboundFamilies {
                requests: &names::INBOUND_HTTP_REQUESTS,
                exchange: &names::INBOUND_HTTP_EXCHANGE,
                answer: &names::INBOUND_HTTP_ANSWER,
                frames_in: &names::INBOUND_HTTP_FRAMES_IN,
                frames_out: &names::INBOUND_HTTP_FRAMES_OUT,
                statuses: &names::INBOUND_HTTP_STATUSES,
            },
            Self::Grpc => InboundFamilies {
                requests: &names::INBOUND_GRPC_REQUESTS,
                exchange: &names::INBOUND_GRPC_EXCHANGE,
                answer: &names::INBOUND_GRPC_ANSWER,
                frames_in: &names::INBOUND_GRPC_FRAMES_IN,
                frames_out: &names::INBOUND_GRPC_FRAMES_OUT,
                statuses: &names::INBOUND_GRPC_STATUSES,
            },
        }
    }
}

impl RouteMetrics {
    /// Counts the end of an exchange: the HTTP or gRPC status, `None` without one,
    /// and an empty error or a name such as `FAIL_FAST`.
    pub fn status(&self, status: Option<u16>, error: &'static str) {
        self.statuses.count(status, error);
    }
}

impl BackendMetrics {
    /// Counts the end of a response; see [`RouteMetrics::status`].
    pub fn status(&self, status: Option<u16>, error: &'static str) {
        self.statuses.count(status, error);
    }
}

impl InboundHttpMetrics {
    /// Counts the end of a response: the HTTP or gRPC status, `None` without one.
    pub fn status(&self, status: Option<u16>) {
        self.statuses.count(status, "");
    }
}

impl Statuses {
    fn count(&self, status: Option<u16>, error: &'static str) {
        let make = || {
            let status = status.map(|status| status.to_string()).unwrap_or_default();
            let labels = self.labels.clone().with(self.name, status);
            let labels = match self.errors {
                true => labels.with("error", error),
                false => labels,
            };
            self.registry.counter(self.family, &labels)
        };
        let count = |counter: &Counter| counter.increment(1);
        self.by_status.with((status, error), make, count);
    }
}
