//! Outbound policies.
//!
//! Of each protocol the catch-all route is taken: the first rule that matches
//! every request, in the order of the message. Rules that match some requests are
//! left out until routes become a table; a protocol that has only such rules
//! refuses every request with 404, which is what it would do to one they do not
//! match. A backend that is known to be invalid gets no share as long as there is
//! another.

use super::{InField as _, Invalid, duration, each, metadata};
use crate::policy::{Metadata, OutboundPolicy, Protocol, Route, RouteAction};
use http::StatusCode;
use linkerd2_proxy_api::{
    http_route::{HttpRouteMatch, path_match::Kind as Path},
    meta,
    outbound::{self as api, proxy_protocol as protocol},
};
use std::{sync::Arc, time::Duration};

mod backend;
mod failure;

use failure::{fail, grpc_failure, http_failure, opaque_failure, tls_failure};

/// Converts a policy; `detect_timeout` is for one that names none.
pub(in crate::discovery) fn policy(
    policy: api::OutboundPolicy,
    detect_timeout: Duration,
) -> Result<OutboundPolicy, Invalid> {
    let kind = policy.protocol.and_then(|protocol| protocol.kind);
    let kind = kind.ok_or_else(|| Invalid::missing("protocol.kind"))?;
    Ok(OutboundPolicy {
        parent: metadata(policy.metadata),
        protocol: protocol(kind, detect_timeout).in_field("protocol")?,
    })
}

fn protocol(kind: protocol::Kind, detect_timeout: Duration) -> Result<Protocol, Invalid> {
    Ok(match kind {
        protocol::Kind::Detect(detect) => {
            self::detect(detect, detect_timeout).in_field("detect")?
        }
        protocol::Kind::Http1(http) => Protocol::Http1(http_routes(http.routes, "http1.routes")?),
        protocol::Kind::Http2(http) => Protocol::Http2(http_routes(http.routes, "http2.routes")?),
        protocol::Kind::Grpc(grpc) => {
            let rules = each("grpc.routes", grpc.routes, grpc_rules)?;
            Protocol::Http2(catch_all(rules))
        }
        protocol::Kind::Opaque(opaque) => {
            Protocol::Opaque(opaque_routes(opaque.routes, "opaque.routes")?)
        }
        protocol::Kind::Tls(tls) => {
            let rules = each("tls.routes", tls.routes, tls_rules)?;
            Protocol::Tls(catch_all(rules))
        }
    })
}

fn detect(detect: protocol::Detect, default_timeout: Duration) -> Result<Protocol, Invalid> {
    let http1 = detect.http1.ok_or_else(|| Invalid::missing("http1"))?;
    let http2 = detect.http2.ok_or_else(|| Invalid::missing("http2"))?;
    let opaque = detect.opaque.ok_or_else(|| Invalid::missing("opaque"))?;
    Ok(Protocol::Detect {
        timeout: duration("timeout", detect.timeout)?.unwrap_or(default_timeout),
        http1: http_routes(http1.routes, "http1.routes")?,
        http2: http_routes(http2.routes, "http2.routes")?,
        opaque: opaque_routes(opaque.routes, "opaque.routes")?,
    })
}

fn http_routes(routes: Vec<api::HttpRoute>, field: &str) -> Result<Arc<Route>, Invalid> {
    Ok(catch_all(each(field, routes, http_rules)?))
}

fn opaque_routes(routes: Vec<api::OpaqueRoute>, field: &str) -> Result<Arc<Route>, Invalid> {
    Ok(catch_all(each(field, routes, opaque_rules)?))
}

/// The first route with a rule for every request.
fn catch_all(routes: Vec<Option<Route>>) -> Arc<Route> {
    let first = routes.into_iter().flatten().next();
    Arc::new(first.unwrap_or_else(|| Route {
        meta: Metadata::of_default("no-route"),
        action: fail(StatusCode::NOT_FOUND, "no route matches"),
    }))
}

/// What a rule says in common, whatever its route's kind.
struct Rule {
    failure: Option<RouteAction>,
    backends: Result<Vec<Share>, Invalid>,
}

/// A backend of a rule with its weight.
struct Share {
    backend: Option<api::Backend>,
    weight: u32,
    failure: Option<RouteAction>,
}

/// The shares of a distribution; the four kinds of routes have the same shape but
/// types of their own.
macro_rules! shares {
    ($distribution:expr, $module:ident, $failure:path) => {{
        use api::$module::distribution::Kind;
        let share = |backend: api::$module::RouteBackend, weight| Share {
            backend: backend.backend,
            weight,
            failure: backend.filters.into_iter().find_map(|f| $failure(f.kind?)),
        };
        match $distribution.and_then(|distribution| distribution.kind) {
            None => Err(Invalid::missing("backends.kind")),
            Some(Kind::Empty(_)) => Ok(Vec::new()),
            // The first one that is available: with one route that is the first.
            Some(Kind::FirstAvailable(first)) => Ok(first
                .backends
                .into_iter()
                .take(1)
                .map(|b| share(b, 1))
                .collect()),
            Some(Kind::RandomAvailable(random)) => each(
                "backends.random_available.backends",
                random.backends,
                |weighted| {
                    let backend = weighted
                        .backend
                        .ok_or_else(|| Invalid::missing("backend"))?;
                    Ok(share(backend, weighted.weight))
                },
            ),
        }
    }};
}

fn http_rules(route: api::HttpRoute) -> Result<Option<Route>, Invalid> {
    let every = |rule: &api::http_route::Rule| {
        rule.matches.is_empty() || rule.matches.iter().any(matches_every_request)
    };
    let rules = route.rules.into_iter().enumerate();
    let found = rules
        .filter(|_| route.hosts.is_empty())
        .find(|(_, rule)| every(rule));
    first_rule(route.metadata, found, |rule| Rule {
        failure: rule.filters.into_iter().find_map(|f| http_failure(f.kind?)),
        backends: shares!(rule.backends, http_route, http_failure),
    })
}

fn grpc_rules(route: api::GrpcRoute) -> Result<Option<Route>, Invalid> {
    let every = |rule: &api::grpc_route::Rule| {
        let all = |m: &linkerd2_proxy_api::grpc_route::GrpcRouteMatch| {
            let named = |rpc: &linkerd2_proxy_api::grpc_route::GrpcRpcMatch| {
                !rpc.service.is_empty() || !rpc.method.is_empty()
            };
            m.headers.is_empty() && !m.rpc.as_ref().is_some_and(named)
        };
        rule.matches.is_empty() || rule.matches.iter().any(all)
    };
    let rules = route.rules.into_iter().enumerate();
    let found = rules
        .filter(|_| route.hosts.is_empty())
        .find(|(_, rule)| every(rule));
    first_rule(route.metadata, found, |rule| Rule {
        failure: rule.filters.into_iter().find_map(|f| grpc_failure(f.kind?)),
        backends: shares!(rule.backends, grpc_route, grpc_failure),
    })
}

fn opaque_rules(route: api::OpaqueRoute) -> Result<Option<Route>, Invalid> {
    let found = route.rules.into_iter().enumerate().next();
    first_rule(route.metadata, found, |rule| Rule {
        failure: rule
            .filters
            .into_iter()
            .find_map(|f| opaque_failure(f.kind?)),
        backends: shares!(rule.backends, opaque_route, opaque_failure),
    })
}

fn tls_rules(route: api::TlsRoute) -> Result<Option<Route>, Invalid> {
    let mut rules = route.rules.into_iter().enumerate();
    let found = rules.find(|_| route.snis.is_empty());
    first_rule(route.metadata, found, |rule| Rule {
        failure: rule.filters.into_iter().find_map(|f| tls_failure(f.kind?)),
        backends: shares!(rule.backends, tls_route, tls_failure),
    })
}

fn first_rule<R>(
    meta: Option<meta::Metadata>,
    found: Option<(usize, R)>,
    read: impl FnOnce(R) -> Rule,
) -> Result<Option<Route>, Invalid> {
    let Some((index, rule)) = found else {
        return Ok(None);
    };
    let action = action(read(rule)).in_field(format_args!("rules[{index}]"))?;
    Ok(Some(Route {
        meta: metadata(meta),
        action,
    }))
}

fn action(rule: Rule) -> Result<RouteAction, Invalid> {
    if let Some(failure) = rule.failure {
        return Ok(failure);
    }
    let mut backends = Vec::new();
    let mut failure = None;
    for (index, share) in rule.backends?.into_iter().enumerate() {
        match share.failure {
            Some(why) => failure = failure.or(Some(why)),
            None if share.weight == 0 => {}
            None => {
                let backend = share.backend.ok_or_else(|| Invalid::missing("backend"));
                let backend = backend.and_then(backend::backend);
                let backend = backend.in_field(format_args!("backends[{index}]"))?;
                backends.push((Arc::new(backend), share.weight));
            }
        }
    }
    if backends.is_empty() {
        let none = || {
            fail(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the route has no backend",
            )
        };
        return Ok(failure.unwrap_or_else(none));
    }
    Ok(RouteAction::Dispatch(backends))
}

fn matches_every_request(matched: &HttpRouteMatch) -> bool {
    let every_path = match matched.path.as_ref().and_then(|path| path.kind.as_ref()) {
        None => true,
        Some(Path::Prefix(prefix)) => prefix == "/" || prefix.is_empty(),
        Some(Path::Exact(_) | Path::Regex(_)) => false,
    };
    every_path
        && matched.headers.is_empty()
        && matched.query_params.is_empty()
        && matched.method.is_none()
}
