//! What outbound traffic is counted as.
//!
//! Handles are made with what they count: per target, route, backend and
//! endpoint. Nothing here is called per request but adding to one.

mod route;

pub use route::{ByProtocol, RouteRecord};

use crate::{
    detect::Detected,
    http::{client::SendError, error::Kind, rescue::OnError},
    metrics::{
        self, BalancerKind, BalancerMetrics, Direction, ErrorMetrics, HttpEndpointMetrics, Labels,
        Layer, LimitMetrics, Metrics, NoTls, Peer, RouteProtocol, TcpMetrics,
    },
    policy::{EndpointMeta, Metadata, OutboundPolicy, Protocol},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Makes and holds the handles of the outbound path. Clones share them.
#[derive(Clone)]
pub struct OutboundMetrics {
    metrics: Metrics,
    http_errors: Arc<ErrorMetrics>,
    tcp_errors: Arc<ErrorMetrics>,
    explicit_detect: Arc<metrics::DetectMetrics>,
    /// What limits refused.
    pub limits: LimitMetrics,
}

/// Handles of one target.
pub struct TargetMetrics {
    detect: Arc<metrics::DetectMetrics>,
    connections: ::metrics::Counter,
    /// Held by the application's connections.
    pub tcp: Arc<TcpMetrics>,
}

impl OutboundMetrics {
    /// The handles every outbound path has.
    pub fn new(metrics: Metrics) -> Self {
        let errors = |layer| metrics.errors(Direction::Outbound, layer, &Labels::new());
        let unknown = Metadata::default();
        Self {
            http_errors: errors(Layer::Http),
            tcp_errors: errors(Layer::Tcp),
            explicit_detect: metrics.detect(Direction::Outbound, &Labels::new().parent(&unknown)),
            limits: metrics.limits(Direction::Outbound),
            metrics,
        }
    }

    /// Counts answers that stand for errors.
    pub fn errors(&self) -> Arc<dyn OnError> {
        self.http_errors.clone()
    }

    /// Counts a connection that could not be forwarded.
    pub fn tcp_error(&self, kind: Kind) {
        self.tcp_errors.count(kind.row().label);
    }

    /// Counts a detection on a connection without a known target.
    pub fn detected(&self, detected: &Detected, took: Duration) {
        self.explicit_detect.detected(result(detected), took);
    }

    /// The application's connections that named no target yet.
    pub fn explicit(&self, local: SocketAddr) -> Arc<TcpMetrics> {
        self.client(local)
    }

    /// Handles of a target at `addr` (or without one, by name).
    pub fn target(&self, policy: &OutboundPolicy, addr: Option<SocketAddr>) -> TargetMetrics {
        let parent = Labels::new().parent(&policy.parent);
        let protocol = match policy.protocol {
            Protocol::Detect { .. } => "detect",
            Protocol::Http1(_) => "http1",
            Protocol::Http2(_) => "http2",
            Protocol::Opaque(_) => "opaq",
            Protocol::Tls(_) => "tls",
        };
        TargetMetrics {
            detect: self.metrics.detect(Direction::Outbound, &parent),
            connections: self.metrics.protocol_connections(protocol, &policy.parent),
            tcp: match addr {
                Some(addr) => self.client(addr),
                None => self.metrics.tcp(
                    Direction::Outbound,
                    Peer::Src,
                    &Labels::new().no_tls(NoTls::Loopback),
                ),
            },
        }
    }

    fn client(&self, addr: SocketAddr) -> Arc<TcpMetrics> {
        let labels = Labels::new().target_addr(addr).no_tls(NoTls::Loopback);
        self.metrics.tcp(Direction::Outbound, Peer::Src, &labels)
    }

    /// Handles of a route.
    pub fn route(&self, parent: &Metadata, route: &Metadata) -> ByProtocol<metrics::RouteMetrics> {
        let of = |protocol| self.metrics.route(protocol, parent, route, None);
        ByProtocol {
            http: of(RouteProtocol::Http),
            grpc: of(RouteProtocol::Grpc),
        }
    }

    /// Handles of what a route sends to a backend.
    pub fn backend(
        &self,
        parent: &Metadata,
        route: &Metadata,
        backend: &Metadata,
    ) -> ByProtocol<metrics::BackendMetrics> {
        let of = |protocol| self.metrics.route_backend(protocol, parent, route, backend);
        ByProtocol {
            http: of(RouteProtocol::Http),
            grpc: of(RouteProtocol::Grpc),
        }
    }

    /// Requests to an endpoint.
    pub fn endpoint(
        &self,
        addr: SocketAddr,
        meta: &EndpointMeta,
        authority: Option<&str>,
    ) -> Arc<HttpEndpointMetrics> {
        let labels = endpoint_labels(addr, meta, authority);
        self.metrics
            .http_endpoint(&labels.direction(Direction::Outbound))
    }

    /// Connections to an endpoint.
    pub fn tcp_endpoint(
        &self,
        addr: SocketAddr,
        meta: &EndpointMeta,
        authority: Option<&str>,
    ) -> Arc<TcpMetrics> {
        let labels = endpoint_labels(addr, meta, authority);
        self.metrics.tcp(Direction::Outbound, Peer::Dst, &labels)
    }

    /// The balancer of a backend.
    pub fn balancer(
        &self,
        kind: BalancerKind,
        backend: &Metadata,
        failfast_timeout: Duration,
    ) -> Arc<dyn mesh_balancer::Observer> {
        let labels = Labels::new().backend(backend);
        self.metrics.balancer(kind, &labels, failfast_timeout)
    }
}

fn endpoint_labels(addr: SocketAddr, meta: &EndpointMeta, authority: Option<&str>) -> Labels {
    let labels = Labels::new().target_addr(addr);
    let labels = match authority {
        Some(authority) => labels.authority(authority.to_owned()),
        None => labels,
    };
    let labels = match &meta.identity {
        Some(identity) => labels.tls_server(identity.id.clone()),
        None => labels.no_tls(NoTls::NotProvidedByServiceDiscovery),
    };
    labels.destination(meta.labels.iter().map(|(name, value)| (&**name, &**value)))
}

impl TargetMetrics {
    /// Counts a connection to the target.
    pub fn connection(&self) {
        self.connections.increment(1);
    }

    /// Counts a detection.
    pub fn detected(&self, detected: &Detected, took: Duration) {
        self.detect.detected(result(detected), took);
    }
}

/// What detection found, as the metric tells it.
pub(crate) fn result(detected: &Detected) -> metrics::Detected {
    match detected {
        Detected::Http1 => metrics::Detected::Http1,
        Detected::H2 => metrics::Detected::Http2,
        Detected::Tls(_) | Detected::Opaque => metrics::Detected::NotHttp,
        Detected::TimedOut => metrics::Detected::ReadTimeout,
        Detected::Closed => metrics::Detected::Error,
    }
}

impl OnError for ErrorMetrics {
    fn on_error(&self, kind: Kind) {
        self.count(kind.row().label);
    }
}

impl mesh_balancer::Observer for BalancerMetrics {
    fn updated(&self, kind: mesh_balancer::UpdateKind, endpoints: usize) {
        use mesh_balancer::UpdateKind::{Add, Empty, Remove, Reset};
        let op = match kind {
            Reset => "Reset",
            Add => "Add",
            Remove => "Remove",
            Empty => "DoesNotExist",
        };
        BalancerMetrics::updated(self, op, endpoints);
    }

    fn policy(&self, policy: &mesh_balancer::Policy) {
        BalancerMetrics::policy(self, policy);
    }

    fn ready(&self, ready: usize) {
        BalancerMetrics::ready(self, ready);
    }

    fn queue(&self, waiting: usize) {
        BalancerMetrics::queue(self, waiting);
    }

    fn queued(&self, waited: Duration) {
        self.queue_latency.record(waited.as_secs_f64());
    }

    fn failfast(&self, active: bool) {
        BalancerMetrics::failfast(self, active);
    }
}

/// What an endpoint's client tells of a request without a response.
pub(super) fn failed(endpoint: &HttpEndpointMetrics, error: &SendError, latency: Duration) {
    let (kind, _) = error.kind();
    endpoint.response(
        None,
        metrics::Class::Failure,
        None,
        kind.row().label,
        latency,
    );
}
