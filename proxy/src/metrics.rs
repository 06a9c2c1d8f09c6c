//! What the proxy counts, and how it is read.
//!
//! No metric macro and no label is touched on the request path: whoever makes an
//! endpoint, a route or a connection asks [`Metrics`] for a struct of ready
//! handles (the `metrics` facade's `Counter`, `Gauge` and `Histogram`), and the
//! request path only adds to them. The same labels asked for twice share one set,
//! and a set lives as long as a handle of it: see `registry` for how sets end and
//! what bounds their number.
//!
//! `names` holds every family; `docs/metrics.md` lists them, checked by a test.

mod balancer;
mod connection;
mod control;
mod family;
mod histogram;
mod http;
mod labels;
mod names;
mod process;
mod registry;
mod render;
mod route;
mod table;
mod tcp;

pub use balancer::{BalancerKind, BalancerMetrics};
pub use connection::{
    Authz, DetectMetrics, Detected, ErrorMetrics, Layer, LimitMetrics, SessionProtocol,
};
pub use control::{AnswerMetrics, CertMetrics, DnsMetrics, Record};
pub use http::{Class, HttpEndpointMetrics};
pub use labels::{Direction, Labels, NoTls, Peer};
pub use route::{BackendMetrics, InboundHttpMetrics, RouteMetrics, RouteProtocol};
pub use tcp::{TcpMetrics, TcpOpen, TransferCost, errno};

use crate::config::MetricsConfig;
use ::metrics::Gauge;
use registry::Registry;
use std::sync::Arc;
use tokio::time::Instant;

/// Hands out handles and renders what they counted. Clones share everything.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// What never ends.
    _info: Arc<Vec<Gauge>>,
}

impl Default for Metrics {
    /// With the default settings.
    fn default() -> Self {
        Self::new(MetricsConfig::default())
    }
}

impl Metrics {
    /// Nothing counted yet but what this build is.
    pub fn new(config: MetricsConfig) -> Self {
        let registry = Arc::new(Registry::new(config));
        let info = vec![process::build_info(&registry), process::tls_info(&registry)];
        Self {
            registry,
            _info: Arc::new(info),
        }
    }

    /// Everything, in the Prometheus text format (version 0.0.4).
    pub fn render(&self) -> String {
        let (families, overflowed) = self.registry.snapshot(Instant::now());
        let mut out = String::with_capacity(64 * 1024);
        for snapshot in &families {
            render::family(&mut out, snapshot);
        }
        if !overflowed.is_empty() {
            render::header(&mut out, &names::OVERFLOW);
        }
        for (family, count) in overflowed {
            let labels = Labels::new().with("family", family);
            render::sample(&mut out, names::OVERFLOW.name, &labels, None, count);
        }
        process::render(&mut out);
        out
    }
}

#[cfg(test)]
mod tests;
