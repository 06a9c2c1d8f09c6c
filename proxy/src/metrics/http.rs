//! Requests and responses of one endpoint or one kind of client.

use super::{Metrics, family::Family, labels::Labels, names, registry::Registry, table::Table};
use ::metrics::{Counter, Histogram};
use std::{sync::Arc, time::Duration};

/// Whether a response was what the client hoped for, as Linkerd judges:
/// HTTP 5xx and some gRPC codes are failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It was.
    Success,
    /// It was not.
    Failure,
}

/// Requests and responses with one label set.
#[derive(Debug)]
pub struct HttpEndpointMetrics {
    requests: Counter,
    responses: Table<Key, Handles>,
    families: &'static Families,
    labels: Labels,
    registry: Arc<Registry>,
}

/// What tells responses apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    status: Option<u16>,
    class: Class,
    grpc: Option<u8>,
    error: &'static str,
}

#[derive(Clone, Debug)]
struct Handles {
    responses: Counter,
    latency: Histogram,
}

#[derive(Debug)]
struct Families {
    requests: &'static Family,
    responses: &'static Family,
    latency: &'static Family,
}

static TRAFFIC: Families = Families {
    requests: &names::REQUEST,
    responses: &names::RESPONSE,
    latency: &names::RESPONSE_LATENCY,
};
static CONTROL: Families = Families {
    requests: &names::CONTROL_REQUEST,
    responses: &names::CONTROL_RESPONSE,
    latency: &names::CONTROL_RESPONSE_LATENCY,
};

impl Metrics {
    /// `request_total`, `response_total` and `response_latency_ms` with `labels`:
    /// direction, target, TLS, and the policy or endpoint behind them.
    pub fn http_endpoint(&self, labels: &Labels) -> Arc<HttpEndpointMetrics> {
        self.http(&TRAFFIC, labels)
    }

    /// The same of a control-plane client (`control_request_total`, ...), by `addr`
    /// and TLS.
    pub fn http_control(&self, labels: &Labels) -> Arc<HttpEndpointMetrics> {
        self.http(&CONTROL, labels)
    }

    fn http(&self, families: &'static Families, labels: &Labels) -> Arc<HttpEndpointMetrics> {
        Arc::new(HttpEndpointMetrics {
            requests: self.registry.counter(families.requests, labels),
            responses: Table::default(),
            families,
            labels: labels.clone(),
            registry: self.registry.clone(),
        })
    }
}

impl HttpEndpointMetrics {
    /// Counts a request, when its headers have arrived.
    pub fn request(&self) {
        self.requests.increment(1);
    }

    /// Counts the end of an exchange. `status` is `None` when it ended without
    /// response headers; `grpc_status` is that of gRPC trailers (codes above 16
    /// count as 2, UNKNOWN); `error` is empty or a short name; `latency` runs from
    /// the request's headers to the first byte of the response body.
    pub fn response(
        &self,
        status: Option<u16>,
        class: Class,
        grpc_status: Option<u8>,
        error: &'static str,
        latency: Duration,
    ) {
        let grpc = grpc_status.map(|code| if code > 16 { 2 } else { code });
        let key = Key {
            status,
            class,
            grpc,
            error,
        };
        let count = |handles: &Handles| {
            handles.responses.increment(1);
            handles.latency.record(latency.as_secs_f64() * 1000.0);
        };
        self.responses.with(key, || self.handles(key), count);
    }

    /// Counts a request whose client left before there was an answer, after
    /// `latency`. As with an answer that is cut short, that is no failure of the
    /// server; unlike Linkerd, which counts no response then, it can be seen.
    pub fn canceled(&self, latency: Duration) {
        self.response(None, Class::Success, None, "canceled", latency);
    }

    fn handles(&self, key: Key) -> Handles {
        let labels = match key.status {
            Some(status) => self.labels.clone().with("status_code", status.to_string()),
            None => self.labels.clone(),
        };
        let class = match key.class {
            Class::Success => "success",
            Class::Failure => "failure",
        };
        let grpc = key.grpc.map(|code| code.to_string()).unwrap_or_default();
        let response = labels
            .clone()
            .with("classification", class)
            .with("grpc_status", grpc)
            .with("error", key.error);
        Handles {
            responses: self.registry.counter(self.families.responses, &response),
            latency: self.registry.histogram(self.families.latency, &labels),
        }
    }
}
