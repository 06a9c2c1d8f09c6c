//! The message as what is printed: each fact once, in words where the message nests.

use std::net::SocketAddr;

use linkerd2_proxy_api::destination::WeightedAddr;
use linkerd2_proxy_api::outbound::{
    Backend, FailureAccrual, HttpRoute, OpaqueRoute, OutboundPolicy,
    backend::{Kind as BackendKind, endpoint_discovery::Kind as Discovery},
    failure_accrual::Kind as Accrual,
    http_route as http, opaque_route as opaque,
    proxy_protocol::Kind,
};
use serde::Serialize;

use crate::commands::diagnostics::policy::matches;
use crate::commands::diagnostics::view::{duration, metadata};

/// The policy of a target.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands::diagnostics::policy) struct Policy {
    pub(super) target: String,
    /// Whose policy it is, as in metrics.
    pub(super) parent: String,
    /// `detect`, `http1`, `http2`, `grpc`, `opaque` or `tls`.
    pub(super) protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detect_timeout: Option<String>,
    /// How endpoints are picked; none for a target without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) balancing: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ejection: Option<Ejection>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) http_routes: Vec<Route>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) opaque_routes: Vec<Route>,
}

/// When an endpoint is taken out of use.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ejection {
    pub(super) consecutive_failures: u32,
    pub(super) min_penalty: Option<String>,
    pub(super) max_penalty: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Route {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) requests: Vec<String>,
    /// Where the route leads; none refuses.
    pub(super) backends: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) idle_timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry: Option<Retry>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Retry {
    pub(super) limit: u32,
    pub(super) statuses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<String>,
}

impl Policy {
    pub(in crate::commands::diagnostics::policy) fn of(
        target: &str,
        message: &OutboundPolicy,
    ) -> Self {
        let policy = Self {
            target: target.to_owned(),
            parent: metadata(message.metadata.as_ref()),
            ..Self::default()
        };
        match message
            .protocol
            .as_ref()
            .and_then(|protocol| protocol.kind.as_ref())
        {
            Some(Kind::Detect(detect)) => {
                let http1 = detect.http1.as_ref();
                let opaque = detect.opaque.iter().flat_map(|opaque| &opaque.routes);
                Self {
                    protocol: "detect",
                    detect_timeout: duration(detect.timeout.as_ref()),
                    ejection: ejection(http1.and_then(|http| http.failure_accrual.as_ref())),
                    http_routes: http_routes(http1.map_or(&[], |http| &http.routes)),
                    opaque_routes: opaque.map(opaque_route).collect(),
                    ..policy
                }
            }
            Some(Kind::Http1(http)) => {
                policy.http("http1", &http.routes, http.failure_accrual.as_ref())
            }
            Some(Kind::Http2(http)) => {
                policy.http("http2", &http.routes, http.failure_accrual.as_ref())
            }
            Some(Kind::Opaque(opaque)) => Self {
                protocol: "opaque",
                opaque_routes: opaque.routes.iter().map(opaque_route).collect(),
                ..policy
            },
            Some(Kind::Grpc(grpc)) => policy.http("grpc", &[], grpc.failure_accrual.as_ref()),
            Some(Kind::Tls(_)) => Self {
                protocol: "tls",
                ..policy
            },
            None => Self {
                protocol: "unknown",
                ..policy
            },
        }
    }

    fn http(
        self,
        protocol: &'static str,
        routes: &[HttpRoute],
        accrual: Option<&FailureAccrual>,
    ) -> Self {
        Self {
            protocol,
            ejection: ejection(accrual),
            http_routes: http_routes(routes),
            ..self
        }
    }

    pub(super) fn is_balanced(&self) -> bool {
        let routes = self.http_routes.iter().chain(&self.opaque_routes);
        routes
            .flat_map(|route| &route.backends)
            .any(|backend| backend.starts_with("endpoints of "))
    }
}

fn ejection(accrual: Option<&FailureAccrual>) -> Option<Ejection> {
    let (failures, backoff) = match accrual?.kind.as_ref()? {
        Accrual::ConsecutiveFailures(each) => (each.max_failures, each.backoff.as_ref()),
        Accrual::Unified(each) => (each.max_consecutive_failures, each.backoff.as_ref()),
    };
    Some(Ejection {
        consecutive_failures: failures,
        min_penalty: duration(backoff.and_then(|backoff| backoff.min_backoff.as_ref())),
        max_penalty: duration(backoff.and_then(|backoff| backoff.max_backoff.as_ref())),
    })
}

/// A route for each rule.
fn http_routes(routes: &[HttpRoute]) -> Vec<Route> {
    let rules = routes
        .iter()
        .flat_map(|route| route.rules.iter().map(move |rule| (route, rule)));
    rules.map(|(route, rule)| http_route(route, rule)).collect()
}

fn http_route(route: &HttpRoute, rule: &http::Rule) -> Route {
    use http::distribution::Kind;
    let of = |each: &http::RouteBackend| each.backend.as_ref().map(backend);
    let kind = rule
        .backends
        .as_ref()
        .and_then(|backends| backends.kind.as_ref());
    let backends = match kind {
        None | Some(Kind::Empty(_)) => Vec::new(),
        Some(Kind::FirstAvailable(first)) => first.backends.iter().filter_map(of).collect(),
        Some(Kind::RandomAvailable(random)) => {
            let weighted = |each: &http::WeightedRouteBackend| {
                let backend = each.backend.as_ref().and_then(of)?;
                Some(format!("{backend} (weight {})", each.weight))
            };
            random.backends.iter().filter_map(weighted).collect()
        }
    };
    let timeouts = rule.timeouts.unwrap_or_default();
    Route {
        name: metadata(route.metadata.as_ref()),
        requests: matches::requests(&route.hosts, &rule.matches),
        backends,
        request_timeout: duration(timeouts.request.as_ref()),
        response_timeout: duration(timeouts.response.as_ref()),
        idle_timeout: duration(timeouts.idle.as_ref()),
        retry: rule.retry.as_ref().map(retry),
    }
}

fn retry(retry: &http::Retry) -> Retry {
    let ranges = retry
        .conditions
        .iter()
        .flat_map(|conditions| &conditions.status_ranges);
    let range = |range: &http::retry::conditions::StatusRange| match range.start == range.end {
        true => range.start.to_string(),
        false => format!("{}-{}", range.start, range.end),
    };
    Retry {
        limit: retry.max_retries,
        statuses: ranges.map(range).collect(),
        timeout: duration(retry.timeout.as_ref()),
    }
}

fn opaque_route(route: &OpaqueRoute) -> Route {
    use opaque::distribution::Kind;
    let of = |each: &opaque::RouteBackend| each.backend.as_ref().map(backend);
    let rules = route
        .rules
        .iter()
        .filter_map(|rule| rule.backends.as_ref()?.kind.as_ref());
    let backends = rules.flat_map(|kind| match kind {
        Kind::Empty(_) => Vec::new(),
        Kind::FirstAvailable(first) => first.backends.iter().filter_map(of).collect(),
        Kind::RandomAvailable(random) => {
            let each = random
                .backends
                .iter()
                .filter_map(|each| each.backend.as_ref());
            each.filter_map(of).collect()
        }
    });
    Route {
        name: metadata(route.metadata.as_ref()),
        backends: backends.collect(),
        ..Route::default()
    }
}

fn backend(backend: &Backend) -> String {
    match &backend.kind {
        Some(BackendKind::Balancer(balancer)) => {
            let discovery = balancer.discovery.as_ref();
            let path = discovery.and_then(|discovery| discovery.kind.as_ref());
            let path = path.map(|Discovery::Dst(get)| get.path.as_str());
            format!("endpoints of {}", path.unwrap_or("nothing"))
        }
        Some(BackendKind::Forward(addr)) => format!("{}, as the client meant", address(addr)),
        None => metadata(backend.metadata.as_ref()),
    }
}

fn address(addr: &WeightedAddr) -> String {
    let at = addr.addr.and_then(|at| SocketAddr::try_from(at).ok());
    at.map_or_else(|| "an address".to_owned(), |at| at.to_string())
}
