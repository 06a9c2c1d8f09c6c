use crate::{
    discovery::{convert, messages::*},
    policy::{Dispatch, OutboundPolicy, PeakEwma, Protocol, Queue, Route, RouteAction},
};
use linkerd2_proxy_api::{
    http_route::{HttpFailureInjector, Ratio},
    opaque_route,
    outbound::{
        self as api, ProxyProtocol, backend, http_route as http,
        proxy_protocol::{Detect, Http1, Kind, Opaque},
    },
};
use std::time::Duration;

fn policy(message: api::OutboundPolicy) -> Result<OutboundPolicy, String> {
    let result = convert::outbound::policy(message, Duration::from_secs(3));
    result.map_err(|error| error.to_string())
}

fn http1(routes: Vec<api::HttpRoute>) -> api::OutboundPolicy {
    let failure_accrual = None;
    of(Kind::Http1(Http1 {
        routes,
        failure_accrual,
    }))
}

fn of(kind: Kind) -> api::OutboundPolicy {
    api::OutboundPolicy {
        protocol: Some(ProxyProtocol { kind: Some(kind) }),
        metadata: Some(service("web", 80)),
    }
}

/// The route of an `http1` or `opaque` policy.
fn route(message: api::OutboundPolicy) -> Route {
    match policy(message).unwrap().protocol {
        Protocol::Http1(route) | Protocol::Opaque(route) => (*route).clone(),
        other => panic!("not expected here: {other:?}"),
    }
}

fn failure(route: &Route) -> (u16, &str) {
    match &route.action {
        RouteAction::Fail { status, message } => (status.as_u16(), message),
        RouteAction::Dispatch(_) => panic!("it should fail"),
    }
}

/// The authorities of a route with their weights.
fn shares(route: &Route) -> Vec<(&str, u32)> {
    let RouteAction::Dispatch(backends) = &route.action else {
        panic!("it should not fail: {route:?}");
    };
    backends
        .iter()
        .map(|(backend, weight)| match &backend.dispatch {
            Dispatch::Balance { authority, .. } => (&**authority, *weight),
            Dispatch::Forward { .. } => panic!("it should balance"),
        })
        .collect()
}

#[test]
fn a_service_is_detected_and_balanced() {
    let policy = policy(service_policy("web")).unwrap();
    assert_eq!(policy.parent.to_string(), "service/shop/web:80");
    let Protocol::Detect {
        timeout,
        http1,
        http2,
        opaque,
    } = policy.protocol
    else {
        panic!("it should detect");
    };
    assert_eq!(timeout, Duration::from_secs(10));
    for route in [&http1, &http2, &opaque] {
        assert_eq!(shares(route), [("web.shop.svc.cluster.local:80", 1)]);
        let RouteAction::Dispatch(backends) = &route.action else {
            unreachable!("it has shares");
        };
        let queue = Queue {
            capacity: Some(100),
            failfast_timeout: Some(Duration::from_secs(3)),
        };
        assert_eq!(backends[0].0.queue, queue);
        assert_eq!(backends[0].0.meta.to_string(), "service/shop/web:80");
    }
    assert_eq!(http1.meta.to_string(), "default/http");
    assert_eq!(opaque.meta.to_string(), "default/opaq");
}

#[test]
fn an_undefined_port_is_forbidden() {
    // outbound/unknown-port.json
    let rule = api::opaque_route::Rule {
        backends: Some(api::opaque_route::Distribution {
            kind: Some(api::opaque_route::distribution::Kind::Empty(
                Default::default(),
            )),
        }),
        filters: vec![api::opaque_route::Filter {
            kind: Some(api::opaque_route::filter::Kind::Forbidden(
                opaque_route::Forbidden {},
            )),
        }],
    };
    let route = route(of(Kind::Opaque(Opaque {
        routes: vec![api::OpaqueRoute {
            metadata: default_meta("undefined-port"),
            rules: vec![rule],
        }],
    })));
    assert_eq!(failure(&route), (403, "the policy forbids it"));
    assert_eq!(route.meta.to_string(), "default/undefined-port");
}

fn injector(status: u32, ratio: Option<(u32, u32)>) -> http::Filter {
    let ratio = ratio.map(|(numerator, denominator)| Ratio {
        numerator,
        denominator,
    });
    let failure = HttpFailureInjector {
        status,
        message: "traffic not allowed".into(),
        ratio,
    };
    http::Filter {
        kind: Some(http::filter::Kind::FailureInjector(failure)),
    }
}

#[test]
fn a_failure_that_is_always_injected_is_the_routes_answer() {
    let route_with = |filter| {
        let mut rule = http_rule(balancer("web", 80));
        rule.filters.push(filter);
        route(http1(vec![http_route(vec![rule])]))
    };
    // outbound/outside-ip.json: an EgressNetwork that denies.
    let denied = route_with(injector(403, None));
    assert_eq!(failure(&denied), (403, "traffic not allowed"));
    assert_eq!(failure(&route_with(injector(99, None))).0, 500, "no status");
    let sometimes = route_with(injector(403, Some((1, 2))));
    assert_eq!(shares(&sometimes).len(), 1, "a ratio is not supported yet");
}

#[test]
fn the_first_rule_for_every_request_is_taken() {
    use linkerd2_proxy_api::http_route::{HeaderMatch, PathMatch, path_match};
    let rule = |name: &str, change: fn(&mut linkerd2_proxy_api::http_route::HttpRouteMatch)| {
        let mut rule = http_rule(balancer(name, 80));
        change(&mut rule.matches[0]);
        rule
    };
    let path = |kind| Some(PathMatch { kind: Some(kind) });
    let mut some = vec![
        rule("exact", |m| m.path = None),
        rule("header", |m| m.headers.push(HeaderMatch::default())),
        rule("method", |m| m.method = Some(http_method())),
    ];
    some[0].matches[0].path = path(path_match::Kind::Exact("/".into()));
    let all = rule("all", |_| ());
    let later = rule("later", |m| m.path = None);
    let mut hosts = http_route(vec![rule("hosts", |_| ())]);
    hosts.hosts.push(Default::default());

    let mut rules = some.clone();
    rules.extend([all, later]);
    let taken = route(http1(vec![hosts.clone(), http_route(rules)]));
    assert_eq!(shares(&taken), [("all.shop.svc.cluster.local:80", 1)]);

    let none = route(http1(vec![hosts, http_route(some)]));
    assert_eq!(failure(&none), (404, "no route matches"));
}

fn http_method() -> linkerd2_proxy_api::http_types::HttpMethod {
    ::http::Method::GET.into()
}

#[test]
fn weights_count_and_invalid_backends_get_no_share_beside_good_ones() {
    let weighted = |name: &str, weight, filters| http::WeightedRouteBackend {
        backend: Some(http::RouteBackend {
            backend: Some(balancer(name, 80)),
            filters,
            ..http::RouteBackend::default()
        }),
        weight,
    };
    let split = |backends| {
        let mut rule = http_rule(balancer("web", 80));
        let random = http::distribution::RandomAvailable { backends };
        rule.backends = Some(http::Distribution {
            kind: Some(http::distribution::Kind::RandomAvailable(random)),
        });
        route(http1(vec![http_route(vec![rule])]))
    };
    let invalid = || vec![injector(500, None)];
    let route = split(vec![
        weighted("a", 9, vec![]),
        weighted("b", 1, vec![]),
        weighted("off", 0, vec![]),
        weighted("invalid", 5, invalid()),
    ]);
    let expected = [
        ("a.shop.svc.cluster.local:80", 9),
        ("b.shop.svc.cluster.local:80", 1),
    ];
    assert_eq!(shares(&route), expected);
    assert_eq!(
        failure(&split(vec![weighted("invalid", 5, invalid())])).0,
        500
    );
    let nothing = split(vec![weighted("off", 0, vec![])]);
    assert_eq!(failure(&nothing), (500, "the route has no backend"));
}

#[test]
fn a_forward_and_the_defaults_of_what_is_left_out() {
    let mut message = detect(default_meta("egress-fallback"), &forward("192.0.2.10:443"));
    let Some(Kind::Detect(detect)) = message.protocol.as_mut().and_then(|p| p.kind.as_mut()) else {
        unreachable!("it was made so");
    };
    detect.timeout = None;
    let policy = policy(message).unwrap();
    let Protocol::Detect { timeout, http1, .. } = &policy.protocol else {
        panic!("it should detect");
    };
    assert_eq!(*timeout, Duration::from_secs(3), "ours");
    let RouteAction::Dispatch(backends) = &http1.action else {
        panic!("it should forward");
    };
    let backend = &backends[0].0;
    assert_eq!(backend.queue, Queue::default());
    let Dispatch::Forward { addr, meta } = &backend.dispatch else {
        panic!("it should forward");
    };
    assert_eq!(
        (*addr, meta.identity.as_ref()),
        ("192.0.2.10:443".parse().unwrap(), None)
    );

    let mut balancer = balancer("web", 80);
    let Some(backend::Kind::Balancer(p2c)) = &mut balancer.kind else {
        unreachable!("it was made so");
    };
    p2c.load = None;
    let route = route(http1_of(balancer));
    let RouteAction::Dispatch(backends) = &route.action else {
        panic!("it should balance");
    };
    assert!(matches!(
        &backends[0].0.dispatch,
        Dispatch::Balance { ewma, .. } if *ewma == PeakEwma::default()
    ));
}

fn http1_of(backend: api::Backend) -> api::OutboundPolicy {
    http1(vec![http_route(vec![http_rule(backend)])])
}

#[test]
fn errors_name_the_field() {
    let spoilt = |change: fn(&mut api::Backend)| {
        let mut backend = balancer("web", 80);
        change(&mut backend);
        policy(http1_of(backend)).unwrap_err()
    };
    let at = "protocol.http1.routes[0].rules[0].backends[0]";
    for (error, expected) in [
        (spoilt(|b| b.kind = None), "kind: is missing"),
        (
            spoilt(|b| b.queue.as_mut().unwrap().capacity = 0),
            "queue.capacity: is zero",
        ),
        (
            spoilt(|b| {
                let timeout = prost_types::Duration {
                    seconds: -1,
                    nanos: 0,
                };
                b.queue.as_mut().unwrap().failfast_timeout = Some(timeout);
            }),
            "queue.failfast_timeout: is no positive duration",
        ),
        (
            spoilt(|b| {
                let Some(backend::Kind::Balancer(p2c)) = &mut b.kind else {
                    unreachable!("it was made so");
                };
                p2c.discovery = None;
            }),
            "balancer.discovery.dst: is missing",
        ),
    ] {
        assert_eq!(error, format!("{at}.{expected}"));
    }
    assert_eq!(
        policy(api::OutboundPolicy::default()).unwrap_err(),
        "protocol.kind: is missing"
    );
    let half = of(Kind::Detect(Detect::default()));
    assert_eq!(
        policy(half).unwrap_err(),
        "protocol.detect.http1: is missing"
    );
}
