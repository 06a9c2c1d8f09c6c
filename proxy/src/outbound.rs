//! The outbound path: what the application sends, to where it means it to go.
//!
//! A connection comes with its target (the kernel's original destination), or
//! its requests name one (the listener as the application's HTTP proxy). The
//! control plane says what the target is; from there one path for HTTP/1,
//! HTTP/2 and opaque bytes: route, balance, connect. This file is the path on
//! one screen, in the order a request travels; the steps are in `outbound/`.

pub mod backend;
mod connection;
pub mod endpoint;
pub mod explicit;
pub mod http;
pub mod metrics;
pub mod target;
pub mod tcp;

pub use self::connection::Outbound;

use self::{backend::Backends, metrics::OutboundMetrics, target::Targets};
use crate::{
    cache::Cache,
    discovery::Discovery,
    drain,
    http::{client::ClientSettings, server::ServerSettings},
    limits::Limit,
    tls::Tls,
    transport::{listener::SocketOptions, splice::SpliceOptions},
};
use mesh_balancer::QueueConfig;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// What the outbound path is configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our own listeners, to which nothing may be sent (it would come back).
    pub listeners: Vec<SocketAddr>,
    /// How long to wait for the first bytes when the target's policy says nothing.
    pub detect_timeout: Duration,
    /// For a connection to an endpoint.
    pub connect_timeout: Duration,
    /// Between attempts to reach an endpoint that refused.
    pub connect_backoff: crate::control::Backoff,
    /// Sockets to endpoints.
    pub connect: SocketOptions,
    /// Limits on HTTP from the application.
    pub server: ServerSettings,
    /// For requests, where the target's policy says nothing.
    pub http_queue: QueueConfig,
    /// For connections, likewise.
    pub tcp_queue: QueueConfig,
    /// Whether the application is told of errors by headers and bodies, ours and
    /// those of peers.
    pub explain: bool,
    /// HTTP to endpoints.
    pub client: ClientSettings,
    /// Opaque connections.
    pub splice: SpliceOptions,
    /// How long a target or balancer is kept after its last connection.
    pub idle: Duration,
}

/// What all outbound connections share.
struct Shared {
    settings: Settings,
    discovery: Discovery,
    targets: Targets,
    backends: Backends,
    metrics: OutboundMetrics,
    in_flight: Limit,
    drain: drain::Watch,
}

/// What the outbound path is made of.
#[derive(Clone)]
pub struct Parts {
    /// Limits and timeouts.
    pub settings: Settings,
    /// What targets are.
    pub discovery: Discovery,
    /// Our identity and the peers'.
    pub tls: Tls,
    /// All numbers.
    pub metrics: OutboundMetrics,
    /// Requests in work.
    pub in_flight: Limit,
    /// Held by each connection.
    pub drain: drain::Watch,
}

impl Outbound {
    /// The outbound path over these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            settings,
            discovery,
            tls,
            metrics,
            in_flight,
            drain,
        } = parts;
        Self(Arc::new(Shared {
            targets: Cache::new(settings.idle),
            backends: Backends::new(
                &settings,
                discovery.clone(),
                tls,
                metrics.clone(),
                drain.clone(),
            ),
            settings,
            discovery,
            metrics,
            in_flight,
            drain,
        }))
    }
}
