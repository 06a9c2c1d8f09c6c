use crate::{
    discovery::convert,
    policy::{Authentication, ServerPolicy, ServerProtocol, inbound::Client},
};
use linkerd2_proxy_api::{
    http_route::{HeaderMatch, HttpRouteMatch, PathMatch, path_match},
    inbound::{
        Authn, Authz, HttpRoute, Identity, IdentitySuffix, Network, ProxyProtocol, Server,
        authn::{
            Permit, PermitMeshTls, PermitUnauthenticated,
            permit_mesh_tls::{Clients, PermitClientIdentities},
        },
        http_route::Rule,
        proxy_protocol::{Detect, Http1, Kind},
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
    let regex = route(path_match::Kind::Regex(".*".into()), vec![]);
    let mut header = route(path_match::Kind::Prefix("/".into()), vec![]);
    header.rules[0].matches[0]
        .headers
        .push(HeaderMatch::default());
    let http1 = |route| {
        Kind::Http1(Http1 {
            routes: vec![route],
            local_rate_limit: None,
        })
    };
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
        (
            message(http1(regex), vec![]),
            "protocol.http1.routes[0].rules[0].matches[0].path.regex: is not supported yet",
        ),
        (
            message(http1(header), vec![]),
            "protocol.http1.routes[0].rules[0].matches[0].headers: is not supported yet",
        ),
    ] {
        let error = server(message).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}
