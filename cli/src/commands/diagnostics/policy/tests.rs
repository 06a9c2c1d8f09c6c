//! Policies in words, from messages.

use linkerd2_proxy_api::http_route::{
    HeaderMatch, HostMatch, HttpRouteMatch, PathMatch, Timeouts, header_match, host_match,
    path_match,
};
use linkerd2_proxy_api::inbound::{
    self as api, Authn, Authz, Identity, IdentitySuffix, Network, Server,
    authn::{
        Permit, PermitMeshTls, PermitUnauthenticated,
        permit_mesh_tls::{Clients, PermitClientIdentities},
    },
};
use linkerd2_proxy_api::meta::{Metadata, metadata::Kind as Meta};
use linkerd2_proxy_api::outbound::{
    self as out, Backend, ExponentialBackoff, FailureAccrual, OutboundPolicy,
    backend::{
        BalanceP2c, EndpointDiscovery,
        endpoint_discovery::{DestinationGet, Kind as Discovery},
    },
};

use super::*;
use crate::golden::assert_golden;

fn named(name: &str) -> Option<Metadata> {
    Some(Metadata {
        kind: Some(Meta::Default(name.to_owned())),
    })
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn path(kind: path_match::Kind) -> HttpRouteMatch {
    HttpRouteMatch {
        path: Some(PathMatch { kind: Some(kind) }),
        ..HttpRouteMatch::default()
    }
}

fn prefix(prefix: &str) -> HttpRouteMatch {
    path(path_match::Kind::Prefix(prefix.to_owned()))
}

fn authz(name: &str, networks: &[&str], permit: Permit) -> Authz {
    let network = |net: &&str| Network {
        net: Some(net.parse::<ipnet::IpNet>().unwrap().into()),
        except: Vec::new(),
    };
    Authz {
        networks: networks.iter().map(network).collect(),
        authentication: Some(Authn {
            permit: Some(permit),
        }),
        labels: Default::default(),
        metadata: named(name),
    }
}

fn anyone() -> Permit {
    Permit::Unauthenticated(PermitUnauthenticated {})
}

fn clients(identities: &[&str], suffixes: &[&[&str]]) -> Permit {
    let identity = |name: &&str| Identity {
        name: (*name).to_owned(),
    };
    let suffix = |parts: &&[&str]| IdentitySuffix {
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
    };
    Permit::MeshTls(PermitMeshTls {
        clients: Some(Clients::Identities(PermitClientIdentities {
            identities: identities.iter().map(identity).collect(),
            suffixes: suffixes.iter().map(suffix).collect(),
        })),
    })
}

fn server(authorizations: Vec<Authz>, routes: Vec<api::HttpRoute>) -> Server {
    Server {
        protocol: Some(api::ProxyProtocol {
            kind: Some(api::proxy_protocol::Kind::Detect(
                api::proxy_protocol::Detect {
                    timeout: seconds(3),
                    http_routes: routes,
                    http_local_rate_limit: None,
                },
            )),
        }),
        authorizations,
        labels: [("name".to_owned(), "all-authenticated".to_owned())].into(),
        ..Server::default()
    }
}

fn route(name: &str, authorizations: Vec<Authz>, matches: Vec<HttpRouteMatch>) -> api::HttpRoute {
    api::HttpRoute {
        metadata: named(name),
        authorizations,
        rules: vec![api::http_route::Rule {
            matches,
            filters: Vec::new(),
        }],
        ..api::HttpRoute::default()
    }
}

#[test]
fn what_a_pod_lets_in() {
    let everywhere = ["0.0.0.0/0", "::/0"];
    let probe = HttpRouteMatch {
        method: Some(::http::Method::GET.into()),
        ..path(path_match::Kind::Exact("/healthz".to_owned()))
    };
    let names = clients(
        &["web.shop.serviceaccount.identity.mesh.cluster.local"],
        &[&["ops", "serviceaccount"]],
    );
    let detected = server(
        vec![
            authz("all-authenticated", &everywhere, clients(&[], &[&[]])),
            authz("some", &["10.1.0.0/16"], names),
        ],
        vec![
            route(
                "probe",
                vec![authz("probe", &["10.0.0.1/32"], anyone())],
                vec![probe],
            ),
            route("default", Vec::new(), vec![prefix("/")]),
        ],
    );
    let opaque = Server {
        protocol: Some(api::ProxyProtocol {
            kind: Some(api::proxy_protocol::Kind::Opaque(
                api::proxy_protocol::Opaque {},
            )),
        }),
        ..server(vec![authz("all", &everywhere, anyone())], Vec::new())
    };
    let pod = PodName {
        namespace: "shop".to_owned(),
        name: "web-0".to_owned(),
    };
    let mut all = String::new();
    for server in [detected, opaque, server(Vec::new(), Vec::new())] {
        let policy = inbound::Policy::of(&pod, 8080, &server);
        all += &inbound::text(&policy);
        all += &output::Format::Yaml.print(&policy, inbound::text);
    }
    assert_golden("policy-inbound.txt", &all);
}

fn balanced() -> Backend {
    let path = "web.shop.svc.cluster.local:80".to_owned();
    Backend {
        kind: Some(out::backend::Kind::Balancer(BalanceP2c {
            discovery: Some(EndpointDiscovery {
                kind: Some(Discovery::Dst(DestinationGet { path })),
            }),
            load: None,
        })),
        ..Backend::default()
    }
}

fn http_rule() -> out::http_route::Rule {
    use out::http_route::{Distribution, Retry, RouteBackend, distribution, retry};
    let backends = vec![RouteBackend {
        backend: Some(balanced()),
        ..RouteBackend::default()
    }];
    let header = HeaderMatch {
        name: "x-canary".to_owned(),
        value: Some(header_match::Value::Exact(b"yes".to_vec())),
    };
    out::http_route::Rule {
        matches: vec![
            HttpRouteMatch {
                headers: vec![header],
                ..prefix("/api/")
            },
            HttpRouteMatch::default(),
        ],
        backends: Some(Distribution {
            kind: Some(distribution::Kind::FirstAvailable(
                distribution::FirstAvailable { backends },
            )),
        }),
        timeouts: Some(Timeouts {
            request: seconds(2),
            response: None,
            idle: seconds(60),
        }),
        retry: Some(Retry {
            max_retries: 2,
            conditions: Some(retry::Conditions {
                status_ranges: vec![
                    retry::conditions::StatusRange {
                        start: 500,
                        end: 599,
                    },
                    retry::conditions::StatusRange {
                        start: 429,
                        end: 429,
                    },
                ],
            }),
            timeout: seconds(1),
            ..Retry::default()
        }),
        ..out::http_route::Rule::default()
    }
}

fn outbound_http() -> out::proxy_protocol::Http1 {
    let failures = out::failure_accrual::ConsecutiveFailures {
        max_failures: 7,
        backoff: Some(ExponentialBackoff {
            min_backoff: seconds(1),
            max_backoff: seconds(60),
            ..ExponentialBackoff::default()
        }),
    };
    out::proxy_protocol::Http1 {
        routes: vec![out::HttpRoute {
            metadata: named("http"),
            hosts: vec![HostMatch {
                r#match: Some(host_match::Match::Exact("web".to_owned())),
            }],
            rules: vec![http_rule()],
        }],
        failure_accrual: Some(FailureAccrual {
            kind: Some(out::failure_accrual::Kind::ConsecutiveFailures(failures)),
            ..FailureAccrual::default()
        }),
    }
}

fn opaque(backend: Option<Backend>) -> out::proxy_protocol::Opaque {
    use out::opaque_route::{Distribution, RouteBackend, Rule, distribution};
    let backends = backend.into_iter().map(|backend| RouteBackend {
        backend: Some(backend),
        filters: Vec::new(),
    });
    let first = distribution::FirstAvailable {
        backends: backends.collect(),
    };
    out::proxy_protocol::Opaque {
        routes: vec![out::OpaqueRoute {
            metadata: named("opaq"),
            rules: vec![Rule {
                backends: Some(Distribution {
                    kind: Some(distribution::Kind::FirstAvailable(first)),
                }),
                filters: Vec::new(),
            }],
        }],
    }
}

fn policy(kind: out::proxy_protocol::Kind) -> OutboundPolicy {
    OutboundPolicy {
        protocol: Some(out::ProxyProtocol { kind: Some(kind) }),
        metadata: named("web"),
    }
}

#[test]
fn what_clients_do_with_a_service() {
    use out::proxy_protocol::{Detect, Kind};
    let detect = Kind::Detect(Detect {
        timeout: seconds(3),
        opaque: Some(opaque(Some(balanced()))),
        http1: Some(outbound_http()),
        http2: None,
    });
    let mut all = String::new();
    for kind in [detect, Kind::Opaque(opaque(None))] {
        let policy = outbound::Policy::of("web.shop:80", &policy(kind));
        all += &outbound::text(&policy);
        all += &output::Format::Yaml.print(&policy, outbound::text);
    }
    assert_golden("policy-outbound.txt", &all);
}
