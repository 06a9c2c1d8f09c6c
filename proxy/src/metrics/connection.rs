//! What is found, allowed, refused and gone wrong on connections.

use super::{
    Metrics,
    labels::{Direction, Labels, NoTls},
    names,
    registry::Registry,
    table::Table,
};
use crate::{metrics::family::Family, policy::Metadata};
use ::metrics::{Counter, Histogram};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// What protocol detection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detected {
    /// Something else than HTTP.
    NotHttp,
    /// HTTP/1.
    Http1,
    /// HTTP/2 by prior knowledge.
    Http2,
    /// Nothing within the timeout.
    ReadTimeout,
    /// The connection failed meanwhile.
    Error,
}

/// Protocol detection on connections with one policy.
#[derive(Debug)]
pub struct DetectMetrics {
    duration: Histogram,
    results: [Counter; 5],
}

/// Which of two families: of requests or of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// HTTP requests.
    Http,
    /// TCP connections.
    Tcp,
}

/// Failures of the proxy itself, by error.
#[derive(Debug)]
pub struct ErrorMetrics {
    errors: Table<&'static str, Counter>,
    family: &'static Family,
    labels: Labels,
    registry: Arc<Registry>,
}

/// What refused work, of one direction.
#[derive(Clone, Debug)]
pub struct LimitMetrics {
    /// Times the limit on connections was reached (`Listener::count_full`).
    pub connections_full: Counter,
    /// Requests answered 503 because of the limit on requests in flight.
    pub requests_shed: Counter,
    /// HTTP/2 connections closed because of too many resets.
    pub reset_floods: Counter,
}

/// What an inbound authorization decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authz {
    /// The client may.
    Allow,
    /// The client may not.
    Deny,
    /// An open connection may no longer be.
    Terminate,
}

/// The protocol that a transport header announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionProtocol {
    /// None: opaque bytes.
    Opaque,
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Metrics {
    /// Detection on connections with `labels`: `srv_*` inbound, `parent_*` outbound.
    pub fn detect(&self, direction: Direction, labels: &Labels) -> Arc<DetectMetrics> {
        let (duration, results) = match direction {
            Direction::Inbound => (&names::INBOUND_DETECT_TIME, &names::INBOUND_DETECT_RESULT),
            Direction::Outbound => (&names::OUTBOUND_DETECT_TIME, &names::OUTBOUND_DETECT_RESULT),
        };
        let result = |result: Detected| {
            let labels = labels.clone().with("result", result.as_str());
            self.registry.counter(results, &labels)
        };
        Arc::new(DetectMetrics {
            duration: self.registry.histogram(duration, labels),
            results: Detected::ALL.map(result),
        })
    }

    /// Outbound connections whose policy says `protocol` (`http1`, `http2`,
    /// `opaq`, `tls`, `detect`).
    pub fn protocol_connections(&self, protocol: &'static str, parent: &Metadata) -> Counter {
        let labels = Labels::new().parent(parent).with("protocol", protocol);
        self.registry.counter(&names::OUTBOUND_PROTOCOL, &labels)
    }

    /// Inbound connections that came with a transport header.
    pub fn transport_header(
        &self,
        session: SessionProtocol,
        port: u16,
        name: Option<&str>,
        client_id: &str,
    ) -> Counter {
        let labels = Labels::new()
            .with("session_protocol", session.as_str())
            .with("target_port", port.to_string())
            .with("target_name", name.unwrap_or_default().to_owned())
            .with("client_id", client_id.to_owned());
        self.registry.counter(&names::TRANSPORT_HEADER, &labels)
    }

    /// Failures of the proxy, told apart by `labels` (inbound: target and server).
    pub fn errors(&self, direction: Direction, layer: Layer, labels: &Labels) -> Arc<ErrorMetrics> {
        let family = match (direction, layer) {
            (Direction::Inbound, Layer::Http) => &names::INBOUND_HTTP_ERRORS,
            (Direction::Inbound, Layer::Tcp) => &names::INBOUND_TCP_ERRORS,
            (Direction::Outbound, Layer::Http) => &names::OUTBOUND_HTTP_ERRORS,
            (Direction::Outbound, Layer::Tcp) => &names::OUTBOUND_TCP_ERRORS,
        };
        Arc::new(ErrorMetrics {
            errors: Table::default(),
            family,
            labels: labels.clone(),
            registry: self.registry.clone(),
        })
    }

    /// Decisions with `labels`: target, server, route (HTTP), authorization (when
    /// allowed), TLS. Only connections are terminated.
    pub fn authz(&self, layer: Layer, decision: Authz, labels: &Labels) -> Counter {
        let family = match (layer, decision) {
            (Layer::Http, Authz::Allow) => &names::HTTP_ALLOW,
            (Layer::Http, Authz::Deny) => &names::HTTP_DENY,
            (Layer::Tcp, Authz::Allow) => &names::TCP_ALLOW,
            (Layer::Tcp, Authz::Deny) => &names::TCP_DENY,
            (_, Authz::Terminate) => &names::TCP_TERMINATE,
        };
        self.registry.counter(family, labels)
    }

    /// Requests that matched no route of the server in `labels`.
    pub fn route_not_found(&self, labels: &Labels) -> Counter {
        self.registry.counter(&names::HTTP_NO_ROUTE, labels)
    }

    /// What limits refused.
    pub fn limits(&self, direction: Direction) -> LimitMetrics {
        let counter = |family| self.registry.counter(family, &Labels::new());
        match direction {
            Direction::Inbound => LimitMetrics {
                connections_full: counter(&names::INBOUND_FULL),
                requests_shed: counter(&names::INBOUND_SHED),
                reset_floods: counter(&names::INBOUND_RESET_FLOODS),
            },
            Direction::Outbound => LimitMetrics {
                connections_full: counter(&names::OUTBOUND_FULL),
                requests_shed: counter(&names::OUTBOUND_SHED),
                reset_floods: counter(&names::OUTBOUND_RESET_FLOODS),
            },
        }
    }
}

impl DetectMetrics {
    /// Counts one detection.
    pub fn detected(&self, result: Detected, took: Duration) {
        self.results[result as usize].increment(1);
        self.duration.record(took.as_secs_f64());
    }
}

impl ErrorMetrics {
    /// Counts one failure by its short name, the label `error`.
    pub fn count(&self, error: &'static str) {
        let make = || {
            let labels = self.labels.clone().with("error", error);
            self.registry.counter(self.family, &labels)
        };
        let count = |counter: &Counter| counter.increment(1);
        self.errors.with(error, make, count);
    }
}

impl Detected {
    const ALL: [Self; 5] = [
        Self::NotHttp,
        Self::Http1,
        Self::Http2,
        Self::ReadTimeout,
        Self::Error,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::NotHttp => "not_http",
            Self::Http1 => "http/1",
            Self::Http2 => "http/2",
            Self::ReadTimeout => "read_timeout",
            Self::Error => "error",
        }
    }
}

impl SessionProtocol {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Opaque => "",
            Self::Http1 => "http/1",
            Self::Http2 => "http/2",
        }
    }
}

/// The labels of an inbound client, for [`Metrics::authz`].
impl Labels {
    /// `target_*`, `srv_*` and TLS of a connection: `client` is `None` without
    /// mesh TLS, and `Some(None)` with TLS but no certificate.
    #[must_use]
    pub fn inbound(server: &Metadata, target: SocketAddr, client: Option<Option<&str>>) -> Self {
        let labels = Self::new()
            .target_addr(target)
            .server(server, target.port());
        match client {
            Some(id) => labels.tls_client(id),
            None => labels.no_tls(NoTls::NoTlsFromRemote),
        }
    }
}
