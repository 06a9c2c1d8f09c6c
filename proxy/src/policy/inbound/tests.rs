use super::*;

fn policy(authentication: Authentication) -> ServerPolicy {
    ServerPolicy {
        meta: Metadata::of_default("test"),
        protocol: ServerProtocol::Opaque,
        authorizations: Arc::new([Authorization {
            meta: Metadata::of_default("test"),
            networks: vec![Network {
                net: "10.0.0.0/8".parse().unwrap(),
                except: vec!["10.9.0.0/16".parse().unwrap()],
            }],
            authentication,
        }]),
        routes: Arc::new([]),
    }
}

fn client<'a>(ip: &str, tls: Option<Option<&'a str>>) -> Client<'a> {
    Client {
        ip: ip.parse().unwrap(),
        tls,
    }
}

#[test]
fn networks_have_holes() {
    let policy = policy(Authentication::Unauthenticated);
    assert!(policy.authorize(&client("10.1.0.1", None)).is_ok());
    assert!(policy.authorize(&client("10.9.0.1", None)).is_err());
    assert!(policy.authorize(&client("192.0.2.1", None)).is_err());
    assert!(policy.authorize(&client("::1", None)).is_err());
}

#[test]
fn tls_levels() {
    let tls = policy(Authentication::TlsUnauthenticated);
    assert!(tls.authorize(&client("10.1.0.1", None)).is_err());
    assert!(tls.authorize(&client("10.1.0.1", Some(None))).is_ok());

    let named = policy(Authentication::TlsAuthenticated {
        identities: vec!["a.b".into()],
        suffixes: vec!["shop".into()],
    });
    assert!(named.authorize(&client("10.1.0.1", Some(None))).is_err());
    assert!(
        named
            .authorize(&client("10.1.0.1", Some(Some("a.b"))))
            .is_ok()
    );
    assert!(
        named
            .authorize(&client("10.1.0.1", Some(Some("web.shop"))))
            .is_ok()
    );
    assert!(
        named
            .authorize(&client("10.1.0.1", Some(Some("workshop"))))
            .is_err()
    );
}

#[test]
fn no_authorization_denies_and_says_by_what() {
    let mut policy = policy(Authentication::Unauthenticated);
    policy.authorizations = Arc::new([]);
    let err = policy
        .authorize(&client("10.1.0.1", Some(Some("evil"))))
        .unwrap_err();
    assert_eq!(
        err.to_string(),
        "client evil is not authorized on default/test"
    );
}

#[test]
fn routes_match_whole_path_elements() {
    let prefix = RouteMatch {
        path: PathMatch::Prefix("/live".into()),
        method: Some(http::Method::GET),
        unclear: None,
    };
    assert!(prefix.is_match(&http::Method::GET, "/live"));
    assert!(prefix.is_match(&http::Method::GET, "/live/x"));
    assert!(!prefix.is_match(&http::Method::GET, "/lively"));
    assert!(!prefix.is_match(&http::Method::POST, "/live"));
    let all = RouteMatch {
        path: PathMatch::Prefix("/".into()),
        method: None,
        unclear: None,
    };
    assert!(all.is_match(&http::Method::PUT, "/anything"));
}

#[test]
fn a_match_that_cannot_be_checked_is_none() {
    let by_header = RouteMatch {
        path: PathMatch::Prefix("/admin".into()),
        method: None,
        unclear: Some("headers"),
    };
    let plain = RouteMatch {
        path: PathMatch::Exact("/admin/help".into()),
        method: None,
        unclear: None,
    };
    let route = InboundRoute {
        meta: Metadata::of_default("test"),
        matches: vec![by_header, plain],
        authorizations: Arc::new([]),
    };
    let get = http::Method::GET;
    assert!(!route.is_match(&get, "/admin/users"));
    assert_eq!(route.unclear(&get, "/admin/users"), Some("headers"));
    assert_eq!(route.unclear(&get, "/public"), None);
    assert!(route.is_match(&get, "/admin/help"));
}
