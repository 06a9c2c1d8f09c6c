use proptest::prelude::*;

use super::*;

const WEB: &str = "web.shop.serviceaccount.identity.mesh.cluster.local";

#[test]
fn parts_and_both_forms() {
    let name: IdentityName = WEB.parse().unwrap();
    assert_eq!(name.as_str(), WEB);
    assert_eq!(name.service_account(), "web");
    assert_eq!(name.namespace(), "shop");
    assert_eq!(name.mesh_namespace(), "mesh");
    assert_eq!(name.trust_domain(), "cluster.local");
    assert_eq!(name.spiffe_uri(), "spiffe://cluster.local/ns/shop/sa/web");
    assert_eq!(
        IdentityName::new("web", "shop", "mesh", "cluster.local").unwrap(),
        name
    );
}

#[test]
fn service_account_with_dots() {
    let name: IdentityName = "a.b.shop.serviceaccount.identity.mesh.td".parse().unwrap();
    assert_eq!((name.service_account(), name.namespace()), ("a.b", "shop"));
}

#[test]
fn refused_names_say_why() {
    for (text, why) in [
        ("", "expected SERVICEACCOUNT.NAMESPACE"),
        ("web.shop", "expected SERVICEACCOUNT.NAMESPACE"),
        (
            "web.serviceaccount.identity.mesh.td",
            "expected SERVICEACCOUNT",
        ),
        (
            "web.shop.serviceaccount.identity.mesh",
            "expected SERVICEACCOUNT",
        ),
        (
            "Web.shop.serviceaccount.identity.mesh.td",
            "service account of an identity: only lower-case",
        ),
        ("*.shop.serviceaccount.identity.mesh.td", "only lower-case"),
        (".shop.serviceaccount.identity.mesh.td", "empty"),
        (
            "web.-shop.serviceaccount.identity.mesh.td",
            "namespace of an identity: a label starts",
        ),
        ("web.shop.serviceaccount.identity.mesh.td.", "trust domain"),
    ] {
        let error = text.parse::<IdentityName>().unwrap_err().to_string();
        assert!(error.contains(why), "{text:?}: {error}");
    }
    let long = format!(
        "{0}.{0}.{0}.{0}.shop.serviceaccount.identity.mesh.td",
        "a".repeat(60)
    );
    assert!(matches!(
        long.parse::<IdentityName>(),
        Err(NameError::TooLong(_))
    ));
}

/// Otherwise one text could be read as the name of two workloads.
#[test]
fn ambiguous_middle_is_refused() {
    let twice = "web.shop.serviceaccount.identity.mesh.td.evil.serviceaccount.identity.mesh.td";
    assert!(matches!(
        twice.parse::<IdentityName>(),
        Err(NameError::Shape(_))
    ));
}

#[test]
fn server_ids_are_dns_or_spiffe() {
    assert!(matches!(WEB.parse(), Ok(ServerId::Dns(_))));
    let uri = "spiffe://cluster.local/ns/shop/sa/web";
    assert_eq!(uri.parse(), Ok(ServerId::Uri(uri.to_owned())));
    for bad in [
        "",
        "a b",
        "https://x/y",
        "spiffe://",
        "spiffe://td",
        "spiffe://TD/x",
        "spiffe://td/",
        "spiffe://td/a/../b",
    ] {
        assert!(bad.parse::<ServerId>().is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn what_parses_prints_the_same(text in "[a-z.-]{0,12}\\.[a-z]{1,8}\\.serviceaccount\\.identity\\.[a-z]{1,5}\\.[a-z.]{1,12}") {
        if let Ok(name) = text.parse::<IdentityName>() {
            prop_assert_eq!(name.to_string(), text);
            let _ = name.server_name();
            prop_assert!(name.spiffe_uri().parse::<ServerId>().is_ok());
        }
    }

    #[test]
    fn garbage_never_panics(text in ".{0,300}") {
        let _ = text.parse::<IdentityName>();
        let _ = text.parse::<ServerId>();
    }
}
