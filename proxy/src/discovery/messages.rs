//! Messages for tests, as Linkerd's controllers send them (vectors/).

use linkerd2_proxy_api::{
    destination::{
        AddrSet, DestinationProfile, NoEndpoints, ProtocolHint, TlsIdentity, Update, WeightedAddr,
        WeightedAddrSet,
        protocol_hint::{H2, OpaqueTransport, Protocol},
        tls_identity::{DnsLikeIdentity, Strategy},
        update::Update as Kind,
    },
    http_route::{HttpRouteMatch, PathMatch, path_match},
    meta,
    outbound::{
        self, Backend, HttpRoute, OpaqueRoute, OutboundPolicy, ProxyProtocol, Queue,
        backend::{
            BalanceP2c, EndpointDiscovery,
            balance_p2c::{Load, PeakEwma},
            endpoint_discovery::{DestinationGet, Kind as Discovery},
        },
        proxy_protocol::{Detect, Http1, Http2, Kind as Protocols, Opaque},
    },
};
use std::time::Duration;

/// `metadata.resource` of a Service.
pub(super) fn service(name: &str, port: u32) -> meta::Metadata {
    let resource = meta::Resource {
        group: "core".into(),
        kind: "Service".into(),
        name: name.into(),
        namespace: "shop".into(),
        port,
        ..meta::Resource::default()
    };
    meta::Metadata {
        kind: Some(meta::metadata::Kind::Resource(resource)),
    }
}

pub(super) fn default_meta(name: &str) -> Option<meta::Metadata> {
    Some(meta::Metadata {
        kind: Some(meta::metadata::Kind::Default(name.into())),
    })
}

/// A backend that balances over `NAME.shop.svc.cluster.local:PORT`.
pub(super) fn balancer(name: &str, port: u32) -> Backend {
    let path = format!("{name}.shop.svc.cluster.local:{port}");
    let duration = |millis| Duration::from_millis(millis).try_into().ok();
    let balancer = BalanceP2c {
        discovery: Some(EndpointDiscovery {
            kind: Some(Discovery::Dst(DestinationGet { path })),
        }),
        load: Some(Load::PeakEwma(PeakEwma {
            default_rtt: duration(30),
            decay: duration(10_000),
        })),
    };
    Backend {
        metadata: Some(service(name, port)),
        kind: Some(outbound::backend::Kind::Balancer(balancer)),
        queue: Some(Queue {
            capacity: 100,
            failfast_timeout: duration(3000),
        }),
    }
}

/// A backend that forwards, as a policy for an address outside the mesh has it.
pub(super) fn forward(addr: &str) -> Backend {
    Backend {
        metadata: default_meta("egress-fallback"),
        kind: Some(outbound::backend::Kind::Forward(WeightedAddr {
            addr: Some(addr.parse::<std::net::SocketAddr>().unwrap().into()),
            weight: 1,
            ..WeightedAddr::default()
        })),
        queue: None,
    }
}

/// An HTTP rule for every request.
pub(super) fn http_rule(backend: Backend) -> outbound::http_route::Rule {
    use outbound::http_route::{Distribution, RouteBackend, Rule, distribution};
    let first = distribution::FirstAvailable {
        backends: vec![RouteBackend {
            backend: Some(backend),
            ..RouteBackend::default()
        }],
    };
    Rule {
        matches: vec![HttpRouteMatch {
            path: Some(PathMatch {
                kind: Some(path_match::Kind::Prefix("/".into())),
            }),
            ..HttpRouteMatch::default()
        }],
        backends: Some(Distribution {
            kind: Some(distribution::Kind::FirstAvailable(first)),
        }),
        ..Rule::default()
    }
}

pub(super) fn http_route(rules: Vec<outbound::http_route::Rule>) -> HttpRoute {
    HttpRoute {
        metadata: default_meta("http"),
        hosts: Vec::new(),
        rules,
    }
}

pub(super) fn opaque_route(backend: Backend) -> OpaqueRoute {
    use outbound::opaque_route::{Distribution, RouteBackend, Rule, distribution};
    let first = distribution::FirstAvailable {
        backends: vec![RouteBackend {
            backend: Some(backend),
            filters: Vec::new(),
        }],
    };
    let rule = Rule {
        backends: Some(Distribution {
            kind: Some(distribution::Kind::FirstAvailable(first)),
        }),
        filters: Vec::new(),
    };
    OpaqueRoute {
        metadata: default_meta("opaq"),
        rules: vec![rule],
    }
}

/// A policy that detects, with the same backend for each protocol.
pub(super) fn detect(metadata: Option<meta::Metadata>, backend: &Backend) -> OutboundPolicy {
    let routes = || vec![http_route(vec![http_rule(backend.clone())])];
    let detect = Detect {
        timeout: Duration::from_secs(10).try_into().ok(),
        opaque: Some(Opaque {
            routes: vec![opaque_route(backend.clone())],
        }),
        http1: Some(Http1 {
            routes: routes(),
            failure_accrual: None,
        }),
        http2: Some(Http2 {
            routes: routes(),
            failure_accrual: None,
        }),
    };
    OutboundPolicy {
        protocol: Some(ProxyProtocol {
            kind: Some(Protocols::Detect(detect)),
        }),
        metadata,
    }
}

/// outbound/web-cluster-ip.json, for any service.
pub(super) fn service_policy(name: &str) -> OutboundPolicy {
    detect(Some(service(name, 80)), &balancer(name, 80))
}

/// One address of get/web.json.
pub(super) fn meshed(addr: &str, pod: &str) -> WeightedAddr {
    let name = || DnsLikeIdentity {
        name: "web.shop.serviceaccount.identity.mesh.cluster.local".into(),
    };
    WeightedAddr {
        addr: Some(addr.parse::<std::net::SocketAddr>().unwrap().into()),
        weight: 10_000,
        metric_labels: [("pod".to_owned(), pod.to_owned())].into(),
        tls_identity: Some(TlsIdentity {
            strategy: Some(Strategy::DnsLikeIdentity(name())),
            server_name: Some(name()),
        }),
        protocol_hint: Some(ProtocolHint {
            protocol: Some(Protocol::H2(H2 {})),
            opaque_transport: Some(OpaqueTransport { inbound_port: 4143 }),
        }),
        ..WeightedAddr::default()
    }
}

pub(super) fn add(addrs: Vec<WeightedAddr>) -> Update {
    let set = WeightedAddrSet {
        addrs,
        metric_labels: [("service".to_owned(), "web".to_owned())].into(),
    };
    Update {
        update: Some(Kind::Add(set)),
    }
}

pub(super) fn remove(addrs: &[&str]) -> Update {
    let addr = |addr: &&str| addr.parse::<std::net::SocketAddr>().unwrap().into();
    Update {
        update: Some(Kind::Remove(AddrSet {
            addrs: addrs.iter().map(addr).collect(),
        })),
    }
}

pub(super) fn no_endpoints(exists: bool) -> Update {
    Update {
        update: Some(Kind::NoEndpoints(NoEndpoints { exists })),
    }
}

/// profile/web-cluster-ip.json, for any service.
pub(super) fn service_profile(name: &str) -> DestinationProfile {
    DestinationProfile {
        fully_qualified_name: format!("{name}.shop.svc.cluster.local"),
        parent_ref: Some(service(name, 80)),
        ..DestinationProfile::default()
    }
}

/// profile/web-pod-ip.json.
pub(super) fn pod_profile(addr: &str) -> DestinationProfile {
    DestinationProfile {
        endpoint: Some(meshed(addr, "web-0")),
        ..DestinationProfile::default()
    }
}
