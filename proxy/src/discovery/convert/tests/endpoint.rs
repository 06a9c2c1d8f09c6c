use crate::{
    discovery::{
        convert::{endpoint::endpoint, profile::profile},
        messages::{meshed, pod_profile, service_profile},
    },
    policy::{EndpointMeta, Hint, ServerIdentity},
};
use linkerd2_proxy_api::destination::{
    AuthorityOverride, ProtocolHint, TlsIdentity, WeightedAddr,
    protocol_hint::{Opaque, OpaqueTransport, Protocol},
    tls_identity::{Strategy, UriLikeIdentity},
};
use std::collections::HashMap;

#[test]
fn a_meshed_endpoint() {
    let set = [("pod", "of the set"), ("service", "web")];
    let set: HashMap<_, _> = set.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let endpoint = endpoint(meshed("10.1.1.1:8080", "web-0"), &set).unwrap();
    assert_eq!(endpoint.addr, "10.1.1.1:8080".parse().unwrap());
    assert!((endpoint.weight - 1.0).abs() < f32::EPSILON);
    let name = "web.shop.serviceaccount.identity.mesh.cluster.local";
    let expected = EndpointMeta {
        labels: [
            ("pod".into(), "web-0".into()),
            ("service".into(), "web".into()),
        ]
        .into(),
        identity: Some(ServerIdentity {
            id: name.into(),
            server_name: name.into(),
        }),
        hint: Hint::H2,
        transport_port: Some(4143),
        authority_override: None,
    };
    assert_eq!(*endpoint.meta, expected, "an address's own label wins");
}

#[test]
fn an_unmeshed_endpoint_with_a_weight() {
    let addr = WeightedAddr {
        addr: Some(
            "[fd00::1]:80"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        ),
        weight: 5000,
        ..WeightedAddr::default()
    };
    let endpoint = endpoint(addr, &HashMap::new()).unwrap();
    assert_eq!(endpoint.addr, "[fd00::1]:80".parse().unwrap());
    assert!((endpoint.weight - 0.5).abs() < f32::EPSILON);
    assert_eq!(*endpoint.meta, EndpointMeta::default());
}

#[test]
fn a_gateway_with_a_spiffe_identity() {
    let mut addr = meshed("10.1.1.1:4143", "gateway");
    addr.tls_identity = Some(TlsIdentity {
        strategy: Some(Strategy::UriLikeIdentity(UriLikeIdentity {
            uri: "spiffe://mesh/gateway".into(),
        })),
        server_name: None,
    });
    addr.authority_override = Some(AuthorityOverride {
        authority_override: "web.shop:80".into(),
    });
    addr.protocol_hint = Some(ProtocolHint {
        protocol: Some(Protocol::Opaque(Opaque {})),
        opaque_transport: None,
    });
    let meta = endpoint(addr, &HashMap::new()).unwrap().meta;
    assert_eq!(
        &*meta.identity.as_ref().unwrap().id,
        "spiffe://mesh/gateway"
    );
    assert_eq!(meta.authority_override.as_deref(), Some("web.shop:80"));
    assert_eq!((meta.hint, meta.transport_port), (Hint::Opaque, None));
}

#[test]
fn profiles() {
    let service = profile(service_profile("web")).unwrap();
    assert_eq!(service.name.as_deref(), Some("web.shop.svc.cluster.local"));
    assert_eq!(service.parent.unwrap().to_string(), "service/shop/web:80");
    assert!(service.endpoint.is_none() && !service.opaque);
    let pod = profile(pod_profile("10.1.1.1:8080")).unwrap();
    assert!(pod.name.is_none() && pod.endpoint.is_some());
}

#[test]
fn errors_name_the_field() {
    type Break = fn(&mut WeightedAddr);
    let cases: [(Break, &str); 6] = [
        (|addr| addr.addr = None, "addr: is missing"),
        (
            |addr| addr.addr.as_mut().unwrap().ip = None,
            "addr.ip: is missing",
        ),
        (
            |addr| addr.addr.as_mut().unwrap().port = 0,
            "addr.port: 0 is no port",
        ),
        (
            |addr| addr.addr.as_mut().unwrap().port = 65_536,
            "addr.port: 65536 is no port",
        ),
        (
            |addr| addr.tls_identity.as_mut().unwrap().strategy = None,
            "tls_identity.strategy: is missing",
        ),
        (
            |addr| {
                let hint = addr.protocol_hint.as_mut().unwrap();
                hint.opaque_transport = Some(OpaqueTransport {
                    inbound_port: 70_000,
                });
            },
            "protocol_hint.opaque_transport.inbound_port: 70000 is no port",
        ),
    ];
    for (spoil, expected) in cases {
        let mut addr = meshed("10.1.1.1:8080", "web-0");
        spoil(&mut addr);
        let err = endpoint(addr, &HashMap::new()).unwrap_err();
        assert_eq!(err.to_string(), expected);
    }
    let mut bad = pod_profile("10.1.1.1:8080");
    bad.endpoint.as_mut().unwrap().addr = None;
    assert_eq!(
        profile(bad).unwrap_err().to_string(),
        "endpoint.addr: is missing"
    );
}
