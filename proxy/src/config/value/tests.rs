use super::*;
use crate::config::PortSet;

fn shown<T: Value>(text: &str) -> Option<String> {
    T::parse(text).map(|value| value.show())
}

#[test]
fn durations() {
    for (text, show) in [
        ("0", Some("0")),
        ("10000ms", Some("10s")),
        ("1500ms", Some("1500ms")),
        ("90s", Some("90s")),
        ("120s", Some("2m")),
        ("24h", Some("24h")),
        ("1d", Some("24h")),
        ("15us", Some("15us")),
        ("10", None),
        ("s", None),
        ("-1s", None),
        ("1.5s", None),
        ("1 s", None),
        ("99999999999999999999s", None),
        ("18446744073709551615d", None),
    ] {
        assert_eq!(shown::<Duration>(text).as_deref(), show, "{text}");
    }
}

#[test]
fn ports() {
    for (text, show) in [
        ("", Some("")),
        ("80, 443,", Some("80,443")),
        ("7000,9000-9002", Some("7000,9000-9002")),
        ("0", None),
        ("65536", None),
        ("9002-9000", None),
        ("1-2-3", None),
        ("http", None),
    ] {
        assert_eq!(shown::<PortSet>(text).as_deref(), show, "{text}");
    }
}

#[test]
fn lists_and_names() {
    assert_eq!(
        shown::<Vec<IpAddr>>("10.0.0.7,fd00::7").as_deref(),
        Some("10.0.0.7,fd00::7")
    );
    assert_eq!(shown::<Vec<IpNet>>("10.0.0.0/33"), None);
    for right in ["web.shop", "spiffe://mesh.local/ns/shop/sa/web"] {
        assert_eq!(shown::<Identity>(right).as_deref(), Some(right));
    }
    for wrong in ["", "spiffe://", "two words", "spiffe://a b/c"] {
        assert_eq!(shown::<Identity>(wrong), None, "{wrong}");
    }
    for right in ["shop:web-0", r#"{"ns":"shop"}"#] {
        assert!(Workload::parse(right).is_some(), "{right}");
    }
    for wrong in ["", "shop", ":", "a:b:c", "{", "[]"] {
        assert!(Workload::parse(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn every_example_is_right() {
    fn check<T: Value>() {
        assert!(T::parse(T::EXAMPLE).is_some(), "{}", T::EXAMPLE);
    }
    check::<Duration>();
    check::<PortSet>();
    check::<Identity>();
    check::<Workload>();
    check::<Target>();
    check::<DefaultPolicy>();
    check::<Vec<SocketAddr>>();
    check::<Vec<IpNet>>();
}
