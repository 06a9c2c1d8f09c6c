//! An outbound policy in API messages.

use super::{
    super::{DETECT_TIMEOUT, duration},
    tuning::{accrual, retry, timeouts, with_request_timeout},
};
use crate::model::{
    outbound::{OutboundView, Protocol, ServicePolicy},
    tuning::Tuning,
};
use linkerd2_proxy_api::{
    destination::WeightedAddr,
    http_route::{HttpRouteMatch, PathMatch, path_match},
    meta::{Metadata, Resource, metadata},
    opaque_route::Forbidden,
    outbound::{
        Backend, FailureAccrual, HttpRoute, OpaqueRoute, OutboundPolicy, ProxyProtocol, Queue,
        backend::{
            BalanceP2c, EndpointDiscovery, Kind as BackendKind,
            balance_p2c::{Load, PeakEwma},
            endpoint_discovery::{DestinationGet, Kind as DiscoveryKind},
        },
        http_route as http, opaque_route as opaque,
        proxy_protocol::{Detect, Http1, Http2, Kind, Opaque},
    },
};
use std::{net::SocketAddr, time::Duration};

/// The latency that an endpoint is taken to have before it has shown its own.
const DEFAULT_RTT: Duration = Duration::from_millis(30);
/// How fast old latencies are forgotten.
const DECAY: Duration = Duration::from_secs(10);
/// Requests that may wait for an endpoint, and for how long.
const QUEUE_CAPACITY: u32 = 100;
const FAILFAST: Duration = Duration::from_secs(3);

/// The whole policy: each message replaces the last.
pub(super) fn policy(view: &OutboundView, domain: &str) -> OutboundPolicy {
    match view {
        OutboundView::Service(policy) => service(policy, domain),
        OutboundView::Forward(address) => forward(*address),
    }
}

fn service(policy: &ServicePolicy, domain: &str) -> OutboundPolicy {
    let metadata = service_metadata(policy);
    let backend = Backend {
        metadata: Some(metadata.clone()),
        queue: Some(queue()),
        kind: Some(BackendKind::Balancer(balancer(policy, domain))),
    };
    let accrual = policy.tuning.accrual.as_ref().map(accrual);
    let routes = || vec![http_route("http", default_rule(&backend, &policy.tuning))];
    let (http1, http2) = (|| http1(routes(), accrual), || http2(routes(), accrual));
    let opaque = || Opaque {
        routes: vec![opaque_route("opaq", backend.clone())],
    };
    let kind = match policy.protocol {
        Protocol::Detect => detect(opaque(), http1(), http2()),
        Protocol::Http1 => Kind::Http1(http1()),
        Protocol::Http2 => Kind::Http2(http2()),
        Protocol::Opaque => Kind::Opaque(opaque()),
        Protocol::Undefined => Kind::Opaque(Opaque {
            routes: vec![forbidden()],
        }),
    };
    outbound(kind, metadata)
}

/// An address outside the cluster: to where the client meant to connect.
fn forward(address: SocketAddr) -> OutboundPolicy {
    const NAME: &str = "egress-fallback";
    let backend = Backend {
        metadata: Some(default_metadata(NAME)),
        queue: Some(queue()),
        kind: Some(BackendKind::Forward(WeightedAddr {
            addr: Some(address.into()),
            weight: 1,
            ..WeightedAddr::default()
        })),
    };
    let routes = || vec![http_route(NAME, any_request(&backend))];
    let opaque = Opaque {
        routes: vec![opaque_route(NAME, backend.clone())],
    };
    let kind = detect(opaque, http1(routes(), None), http2(routes(), None));
    outbound(kind, default_metadata(NAME))
}

fn outbound(kind: Kind, metadata: Metadata) -> OutboundPolicy {
    OutboundPolicy {
        protocol: Some(ProxyProtocol { kind: Some(kind) }),
        metadata: Some(metadata),
    }
}

fn detect(opaque: Opaque, http1: Http1, http2: Http2) -> Kind {
    Kind::Detect(Detect {
        timeout: Some(duration(DETECT_TIMEOUT)),
        opaque: Some(opaque),
        http1: Some(http1),
        http2: Some(http2),
    })
}

fn http1(routes: Vec<HttpRoute>, failure_accrual: Option<FailureAccrual>) -> Http1 {
    Http1 {
        routes,
        failure_accrual,
    }
}

fn http2(routes: Vec<HttpRoute>, failure_accrual: Option<FailureAccrual>) -> Http2 {
    Http2 {
        routes,
        failure_accrual,
    }
}

fn http_route(name: &str, rule: http::Rule) -> HttpRoute {
    HttpRoute {
        metadata: Some(default_metadata(name)),
        hosts: Vec::new(),
        rules: vec![rule],
    }
}

/// The rule of a service's default route, with what its annotations ask for.
fn default_rule(backend: &Backend, tuning: &Tuning) -> http::Rule {
    let path = PathMatch {
        kind: Some(path_match::Kind::Prefix("/".to_owned())),
    };
    let rule = http::Rule {
        matches: vec![HttpRouteMatch {
            path: Some(path),
            ..HttpRouteMatch::default()
        }],
        timeouts: Some(timeouts(&tuning.timeouts)),
        retry: tuning.retry.as_ref().map(retry),
        ..any_request(backend)
    };
    with_request_timeout(rule, &tuning.timeouts)
}

/// A rule without conditions.
fn any_request(backend: &Backend) -> http::Rule {
    use http::distribution::{FirstAvailable, Kind};
    let backend = http::RouteBackend {
        backend: Some(backend.clone()),
        ..http::RouteBackend::default()
    };
    let first = FirstAvailable {
        backends: vec![backend],
    };
    http::Rule {
        matches: vec![HttpRouteMatch::default()],
        backends: Some(http::Distribution {
            kind: Some(Kind::FirstAvailable(first)),
        }),
        ..http::Rule::default()
    }
}

fn opaque_route(name: &str, backend: Backend) -> OpaqueRoute {
    let backend = opaque::RouteBackend {
        backend: Some(backend),
        filters: Vec::new(),
    };
    let first = opaque::distribution::FirstAvailable {
        backends: vec![backend],
    };
    OpaqueRoute {
        metadata: Some(default_metadata(name)),
        rules: vec![opaque::Rule {
            backends: Some(opaque::Distribution {
                kind: Some(opaque::distribution::Kind::FirstAvailable(first)),
            }),
            filters: Vec::new(),
        }],
    }
}

/// The route of a port that its service does not define.
fn forbidden() -> OpaqueRoute {
    let empty = opaque::distribution::Kind::Empty(opaque::distribution::Empty {});
    OpaqueRoute {
        metadata: Some(default_metadata("undefined-port")),
        rules: vec![opaque::Rule {
            backends: Some(opaque::Distribution { kind: Some(empty) }),
            filters: vec![opaque::Filter {
                kind: Some(opaque::filter::Kind::Forbidden(Forbidden {})),
            }],
        }],
    }
}

fn balancer(policy: &ServicePolicy, domain: &str) -> BalanceP2c {
    let ServicePolicy {
        namespace,
        name,
        port,
        ..
    } = policy;
    BalanceP2c {
        discovery: Some(EndpointDiscovery {
            kind: Some(DiscoveryKind::Dst(DestinationGet {
                path: format!("{name}.{namespace}.svc.{domain}:{port}"),
            })),
        }),
        load: Some(Load::PeakEwma(PeakEwma {
            default_rtt: Some(duration(DEFAULT_RTT)),
            decay: Some(duration(DECAY)),
        })),
    }
}

fn queue() -> Queue {
    Queue {
        capacity: QUEUE_CAPACITY,
        failfast_timeout: Some(duration(FAILFAST)),
    }
}

fn service_metadata(policy: &ServicePolicy) -> Metadata {
    Metadata {
        kind: Some(metadata::Kind::Resource(Resource {
            group: "core".to_owned(),
            kind: "Service".to_owned(),
            name: policy.name.clone(),
            namespace: policy.namespace.clone(),
            section: String::new(),
            port: policy.port.into(),
        })),
    }
}

fn default_metadata(name: &str) -> Metadata {
    Metadata {
        kind: Some(metadata::Kind::Default(name.to_owned())),
    }
}
