use crate::{
    discovery::convert,
    policy::{Authentication, ServerPolicy, ServerProtocol, inbound::Client},
};
use linkerd2_proxy_api::{
    grpc_route::{GrpcRouteMatch, GrpcRpcMatch},
    http_route::{HeaderMatch, HostMatch, HttpRouteMatch, PathMatch, QueryParamMatch, path_match},
    inbound::{
        Authn, Authz, GrpcRoute, HttpRoute, Identity, IdentitySuffix, Network, ProxyProtocol,
        Server,
        authn::{
            Permit, PermitMeshTls, PermitUnauthenticated,
            permit_mesh_tls::{Clients, PermitClientIdentities},
        },
        grpc_route,
        http_route::Rule,
        proxy_protocol::{Detect, Grpc, Http1, Kind},
    },
    meta,
    net::IpNetwork,
};
use std::time::Duration;

fn server(message: Server) -> Result<ServerPolicy, String> {
    let result = convert::inbound::server(message, Duration::from_secs(3));
    result.map_err(|error| error.to_string())
}

fn net(net: &str) -> IpNetwork {
    net.parse::<ipnet::IpNet>().unwrap().into()
}

fn authz(name: &str, net_: &str, except: &[&str], permit: Permit) -> Authz {
    Authz {
        networks: vec![Network {
            net: Some(net(net_)),
            except: except.iter().map(|except| net(except)).collect(),
        }],
        authentication: Some(Authn {
            permit: Some(permit),
        }),
        metadata: Some(meta::Metadata {
            kind: Some(meta::metadata::Kind::Default(name.into())),
        }),
        ..Authz::default()
    }
}

fn anybody() -> Permit {
    Permit::Unauthenticated(PermitUnauthenticated {})
}

fn mesh(clients: Clients) -> Permit {
    Permit::MeshTls(PermitMeshTls {
        clients: Some(clients),
    })
}

fn identities(names: &[&str], suffixes: &[&[&str]]) -> Permit {
    let identity = |name: &&str| Identity {
        name: (*name).into(),
    };
    let suffix = |parts: &&[&str]| IdentitySuffix {
        parts: parts.iter().map(|part| (*part).into()).collect(),
    };
    mesh(Clients::Identities(PermitClientIdentities {
        identities: names.iter().map(identity).collect(),
        suffixes: suffixes.iter().map(suffix).collect(),
    }))
}

fn route(path: path_match::Kind, authorizations: Vec<Authz>) -> HttpRoute {
    HttpRoute {
        authorizations,
        rules: vec![Rule {
            matches: vec![HttpRouteMatch {
                path: Some(PathMatch { kind: Some(path) }),
                method: Some(http::Method::GET.into()),
                ..HttpRouteMatch::default()
            }],
            filters: Vec::new(),
        }],
        ..HttpRoute::default()
    }
}

fn message(kind: Kind, authorizations: Vec<Authz>) -> Server {
    let labels = [
        ("group", "policy.linkerd.io"),
        ("kind", "server"),
        ("name", "locked-http"),
    ];
    Server {
        protocol: Some(ProxyProtocol { kind: Some(kind) }),
        authorizations,
        labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        ..Server::default()
    }
}

fn allows(policy: &ServerPolicy, ip: &str, tls: Option<Option<&str>>) -> bool {
    let ip = ip.parse().unwrap();
    policy.authorize(&Client { ip, tls }).is_ok()
}

#[test]
fn a_locked_server() {
    // inbound/locked-http.json
    let name = "client.shop.serviceaccount.identity.mesh.cluster.local";
    let locked = authz(
        "locked",
        "10.1.0.0/16",
        &["10.1.9.0/24"],
        identities(&[name], &[]),
    );
    let open = authz("any", "10.1.0.0/16", &[], anybody());
    let routes = vec![route(
        path_match::Kind::Prefix("/products".into()),
        vec![open],
    )];
    let kind = Kind::Http1(Http1 {
        routes,
        local_rate_limit: None,
    });
    let policy = server(message(kind, vec![locked])).unwrap();
    assert_eq!(policy.meta.to_string(), "server/locked-http");
    assert_eq!(&*policy.meta.group, "policy.linkerd.io");
    assert_eq!(policy.protocol, ServerProtocol::Http1);
    assert!(allows(&policy, "10.1.1.1", Some(Some(name))));
    assert!(!allows(&policy, "10.1.9.1", Some(Some(name))), "excepted");
    assert!(!allows(&policy, "10.1.1.1", Some(Some("other.shop"))));
    assert!(!allows(&policy, "10.1.1.1", None));
    let route = &policy.routes[0];
    assert!(route.is_match(&http::Method::GET, "/products/1"));
    assert!(!route.is_match(&http::Method::POST, "/products/1"));
    let client = Client {
        ip: "10.1.1.1".parse().unwrap(),
        tls: None,
    };
    policy.authorize_by(&route.authorizations, &client).unwrap();
}

#[test]
fn a_default_server_detects() {
    // inbound/web.json, without a timeout
    let everywhere = [
        authz("all", "0.0.0.0/0", &[], anybody()),
        authz("all", "::/0", &[], anybody()),
    ];
    let all = HttpRoute {
        rules: vec![Rule::default()],
        ..HttpRoute::default()
    };
    let kind = Kind::Detect(Detect {
        http_routes: vec![all],
        ..Detect::default()
    });
    let policy = server(message(kind, everywhere.into())).unwrap();
    let timeout = Duration::from_secs(3);
    assert_eq!(policy.protocol, ServerProtocol::Detect { timeout });
    assert!(allows(&policy, "192.0.2.1", None) && allows(&policy, "2001:db8::1", None));
    assert!(policy.routes[0].is_match(&http::Method::DELETE, "/anything"));
}

#[test]
fn authentication_kinds() {
    for (permit, expected) in [
        (anybody(), Authentication::Unauthenticated),
        (
            mesh(Clients::Unauthenticated(PermitUnauthenticated {})),
            Authentication::TlsUnauthenticated,
        ),
        (
            identities(&["a.b"], &[&["shop", "mesh"], &[]]),
            Authentication::TlsAuthenticated {
                identities: vec!["a.b".into()],
                suffixes: vec!["shop.mesh".into(), "".into()],
            },
        ),
    ] {
        let authz = authz("x", "0.0.0.0/0", &[], permit);
        let policy = server(message(Kind::Opaque(Default::default()), vec![authz])).unwrap();
        assert_eq!(policy.authorizations[0].authentication, expected);
    }
}

#[test]
fn errors_name_the_field() {
    let opaque = || Kind::Opaque(Default::default());
    let mut no_net = authz("x", "10.0.0.0/8", &[], anybody());
    no_net.networks[0].net = None;
    let mut wide = authz("x", "10.0.0.0/8", &["10.1.0.0/16"], anybody());
    wide.networks[0].except[0].prefix_len = 33;
    let mut nobody = authz("x", "10.0.0.0/8", &[], anybody());
    nobody.authentication = None;
    for (message, expected) in [
        (Server::default(), "protocol.kind: is missing"),
        (
            message(opaque(), vec![no_net]),
            "authorizations[0].networks[0].net: is missing",
        ),
        (
            message(opaque(), vec![wide]),
            "authorizations[0].networks[0].except[0].prefix_len: 33: invalid network prefix length",
        ),
        (
            message(opaque(), vec![nobody]),
            "authorizations[0].authentication.permit: is missing",
        ),
    ] {
        let error = server(message).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn conditions_that_cannot_be_checked_are_kept_as_such() {
    let prefix = |path: &str| route(path_match::Kind::Prefix(path.into()), vec![]);
    let regex = route(path_match::Kind::Regex("/a.*".into()), vec![]);
    let mut header = prefix("/admin");
    let matched = &mut header.rules[0].matches[0];
    matched.headers.push(HeaderMatch::default());
    let mut query = prefix("/admin");
    let matched = &mut query.rules[0].matches[0];
    matched.query_params.push(QueryParamMatch::default());
    let mut host = prefix("/admin");
    host.hosts.push(HostMatch::default());
    let any_path_of_host = HttpRoute {
        hosts: vec![HostMatch::default()],
        ..HttpRoute::default()
    };
    for (route, condition, elsewhere) in [
        (regex, "path.regex", Some("path.regex")),
        (header, "headers", None),
        (query, "query_params", None),
        (host, "hosts", None),
        (any_path_of_host, "hosts", Some("hosts")),
    ] {
        let kind = Kind::Http1(Http1 {
            routes: vec![route],
            local_rate_limit: None,
        });
        let open = authz("any", "10.1.0.0/16", &[], anybody());
        let policy = server(message(kind, vec![open])).unwrap();
        assert!(allows(&policy, "10.1.1.1", None), "the rest holds");
        let [route] = &*policy.routes else { panic!() };
        let get = http::Method::GET;
        assert_eq!(route.unclear(&get, "/admin/users"), Some(condition));
        assert_eq!(route.unclear(&get, "/other"), elsewhere, "{condition}");
        assert!(!route.is_match(&get, "/admin/users"));
    }
}

#[test]
fn a_grpc_method_of_any_service_cannot_be_checked() {
    let matched = |service: &str, method: &str| GrpcRouteMatch {
        rpc: Some(GrpcRpcMatch {
            service: service.into(),
            method: method.into(),
        }),
        ..GrpcRouteMatch::default()
    };
    let kind = Kind::Grpc(Grpc {
        routes: vec![GrpcRoute {
            rules: vec![grpc_route::Rule {
                matches: vec![matched("shop.Cart", "Add"), matched("", "Reset")],
                filters: Vec::new(),
            }],
            ..GrpcRoute::default()
        }],
    });
    let policy = server(message(kind, vec![])).unwrap();
    let (route, post) = (&policy.routes[0], http::Method::POST);
    assert!(route.is_match(&post, "/shop.Cart/Add"));
    assert!(route.unclear(&post, "/any.Thing/Reset").is_some());
}
