//! What inbound traffic is counted as.

use super::PeerTls;
mod record;

pub use self::record::AppRecord;

use crate::{
    detect::Detected,
    http::{error::Kind, rescue::OnError},
    metrics::{
        self, Authz, Direction, ErrorMetrics, HttpEndpointMetrics, Labels, Layer, LimitMetrics,
        Metrics, NoTls, Peer, RouteProtocol, TcpMetrics,
    },
    outbound,
    policy::Metadata,
    transport::header::{SessionProtocol, TransportHeader},
};
use ::metrics::Counter;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Makes and holds the handles of the inbound path. Clones share them.
#[derive(Clone)]
pub struct InboundMetrics {
    metrics: Metrics,
    http_errors: Arc<ErrorMetrics>,
    tcp_errors: Arc<ErrorMetrics>,
    /// What limits refused.
    pub limits: LimitMetrics,
}

/// Handles of requests that one decision allows.
#[derive(Debug)]
pub struct AllowedMetrics {
    allowed: Counter,
    endpoint: Arc<HttpEndpointMetrics>,
    http: Arc<metrics::InboundHttpMetrics>,
    grpc: Arc<metrics::InboundHttpMetrics>,
}

impl InboundMetrics {
    /// The handles every inbound path has.
    pub fn new(metrics: Metrics) -> Self {
        let errors = |layer| metrics.errors(Direction::Inbound, layer, &Labels::new());
        Self {
            http_errors: errors(Layer::Http),
            tcp_errors: errors(Layer::Tcp),
            limits: metrics.limits(Direction::Inbound),
            metrics,
        }
    }

    /// Counts answers that stand for errors.
    pub fn errors(&self) -> Arc<dyn OnError> {
        self.http_errors.clone()
    }

    /// Counts a connection that could not be served.
    pub fn tcp_error(&self, kind: Kind) {
        self.tcp_errors.count(kind.row().label);
    }

    /// Counts a TLS handshake that failed.
    pub fn tls_failed(&self) {
        self.tcp_errors.count("tls handshake");
    }

    /// Counts a TLS handshake that was not done in time.
    pub fn tls_timed_out(&self) {
        self.tcp_errors.count("tls detection timeout");
    }

    /// Counts a client of the direct port without the identity it needs.
    pub fn identity_required(&self) {
        self.tcp_errors.count("identity required");
    }

    /// Counts a connection to one port more than policies are watched for.
    pub fn too_many_ports(&self) {
        self.tcp_errors.count("too many ports");
    }

    /// Connections of clients with `tls` to the application at `app`.
    pub fn tcp(&self, app: SocketAddr, tls: &PeerTls, server: &Metadata) -> Arc<TcpMetrics> {
        let labels = labels(app, tls, server);
        self.metrics.tcp(Direction::Inbound, Peer::Src, &labels)
    }

    /// Connections to the application.
    pub fn app(&self, app: SocketAddr) -> Arc<TcpMetrics> {
        let labels = Labels::new().target_addr(app).no_tls(NoTls::Loopback);
        self.metrics.tcp(Direction::Inbound, Peer::Dst, &labels)
    }

    /// Counts a detection on a port of `server`.
    pub fn detected(&self, server: &Metadata, port: u16, detected: &Detected, took: Duration) {
        let labels = Labels::new().server(server, port);
        self.metrics
            .detect(Direction::Inbound, &labels)
            .detected(outbound::metrics::result(detected), took);
    }

    /// Counts a connection that came with a header, and may.
    pub fn transport_header(&self, header: &TransportHeader, client: &str) {
        let session = match header.session {
            None => metrics::SessionProtocol::Opaque,
            Some(SessionProtocol::Http1) => metrics::SessionProtocol::Http1,
            Some(SessionProtocol::Http2) => metrics::SessionProtocol::Http2,
        };
        self.metrics
            .transport_header(session, header.port, header.name.as_deref(), client)
            .increment(1);
    }

    /// Handles of requests that `authz` allows on `route` of `server`.
    pub fn allowed(
        &self,
        app: SocketAddr,
        tls: &PeerTls,
        server: &Metadata,
        route: &Metadata,
        authz: &Metadata,
    ) -> Arc<AllowedMetrics> {
        let labels = labels(app, tls, server).route(route).authz(authz);
        let of = |protocol| {
            self.metrics
                .inbound_http(protocol, server, app.port(), route)
        };
        Arc::new(AllowedMetrics {
            allowed: self.metrics.authz(Layer::Http, Authz::Allow, &labels),
            endpoint: self
                .metrics
                .http_endpoint(&labels.direction(Direction::Inbound)),
            http: of(RouteProtocol::Http),
            grpc: of(RouteProtocol::Grpc),
        })
    }

    /// Counts a request that nothing allows.
    pub fn http_denied(&self, app: SocketAddr, tls: &PeerTls, server: &Metadata, route: &Metadata) {
        let labels = labels(app, tls, server).route(route);
        self.metrics
            .authz(Layer::Http, Authz::Deny, &labels)
            .increment(1);
    }

    /// Counts a request without a route.
    pub fn route_not_found(&self, app: SocketAddr, tls: &PeerTls, server: &Metadata) {
        let labels = labels(app, tls, server);
        self.metrics.route_not_found(&labels).increment(1);
    }

    /// Counts a decision about a connection, by `authz` if it was allowed.
    pub fn tcp_decided(
        &self,
        decision: Authz,
        app: SocketAddr,
        tls: &PeerTls,
        server: &Metadata,
        authz: Option<&Metadata>,
    ) {
        let labels = labels(app, tls, server);
        let labels = match authz {
            Some(authz) => labels.authz(authz),
            None => labels,
        };
        self.metrics
            .authz(Layer::Tcp, decision, &labels)
            .increment(1);
    }
}

fn labels(app: SocketAddr, tls: &PeerTls, server: &Metadata) -> Labels {
    let client = match tls {
        PeerTls::None => None,
        PeerTls::Anonymous => Some(None),
        PeerTls::Identified(id) => Some(Some(&**id)),
    };
    Labels::inbound(server, app, client)
}

impl AllowedMetrics {
    /// Counts a decision to allow.
    pub fn allow(&self) {
        self.allowed.increment(1);
    }

    /// Follows a request that was allowed.
    pub fn request(&self, grpc: bool) -> AppRecord {
        let (route, protocol) = if grpc {
            (&self.grpc, RouteProtocol::Grpc)
        } else {
            (&self.http, RouteProtocol::Http)
        };
        self.endpoint.request();
        route.requests.increment(1);
        AppRecord {
            endpoint: self.endpoint.clone(),
            route: route.clone(),
            protocol,
            sent: Instant::now(),
            ended: false,
        }
    }
}
