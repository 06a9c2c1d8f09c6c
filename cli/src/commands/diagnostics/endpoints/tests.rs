//! Endpoints of messages as a controller sends them.

use std::collections::HashMap;

use linkerd2_proxy_api::destination::{
    NoEndpoints, ProtocolHint, TlsIdentity, WeightedAddr, WeightedAddrSet,
    protocol_hint::{H2, Opaque, OpaqueTransport, Protocol},
    tls_identity::{DnsLikeIdentity, Strategy},
};

use super::*;
use crate::golden::assert_golden;

fn labels(labels: &[(&str, &str)]) -> HashMap<String, String> {
    labels
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn meshed(at: &str, pod: &str, zone: &[(&str, &str)], protocol: Protocol) -> WeightedAddr {
    let name = "web.shop.serviceaccount.identity.mesh.cluster.local".to_owned();
    let mut metric_labels = labels(&[("pod", pod), ("serviceaccount", "web")]);
    metric_labels.extend(labels(zone));
    WeightedAddr {
        addr: Some(at.parse::<std::net::SocketAddr>().unwrap().into()),
        weight: 10_000,
        metric_labels,
        tls_identity: Some(TlsIdentity {
            strategy: Some(Strategy::DnsLikeIdentity(DnsLikeIdentity { name })),
            server_name: None,
        }),
        protocol_hint: Some(ProtocolHint {
            protocol: Some(protocol),
            opaque_transport: Some(OpaqueTransport { inbound_port: 4143 }),
        }),
        ..WeightedAddr::default()
    }
}

fn update(kind: Kind) -> Update {
    Update { update: Some(kind) }
}

fn endpoints() -> Update {
    let near = [("zone", "a"), ("zone_locality", "local")];
    let plain = WeightedAddr {
        addr: Some(
            "10.1.0.9:8080"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        ),
        weight: 5_000,
        metric_labels: labels(&[("zone", ""), ("zone_locality", "unknown")]),
        ..WeightedAddr::default()
    };
    update(Kind::Add(WeightedAddrSet {
        addrs: vec![
            meshed(
                "[fd00::7]:8080",
                "web-2",
                &[("zone", "b"), ("zone_locality", "remote")],
                Protocol::Opaque(Opaque {}),
            ),
            meshed("10.1.0.10:8080", "web-1", &near, Protocol::H2(H2 {})),
            plain,
        ],
        metric_labels: labels(&[("namespace", "shop"), ("service", "web")]),
    }))
}

#[test]
fn a_table_by_address() {
    let rows = rows("web.shop:80", &endpoints());
    let json = output::Format::Json.print(&rows, |rows| text(rows));
    let yaml = output::Format::Yaml.print(&rows, |rows| text(rows));
    assert_golden("endpoints.txt", &format!("{}\n{json}\n{yaml}", text(&rows)));
}

#[test]
fn no_endpoints_are_no_rows() {
    let none = update(Kind::NoEndpoints(NoEndpoints { exists: true }));
    assert!(rows("web.shop:80", &none).is_empty());
}
