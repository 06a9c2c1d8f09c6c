use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::de::DeserializeOwned;

use super::*;

fn topology() -> Topology {
    Topology::new("127.0.1".parse().unwrap())
}

fn parse<T: DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_service_has_two_ports_and_says_its_policy() {
    let service: Service = parse(&service(topology(), Policy::RoundRobin));
    let annotations = service.metadata.annotations.unwrap();
    assert_eq!(annotations["balancer.mesh.dev/policy"], "round-robin");
    let ports = service.spec.unwrap().ports.unwrap();
    let ports: Vec<_> = ports.iter().map(|p| (p.name.as_deref(), p.port)).collect();
    assert_eq!(ports, [(Some("http"), 80), (Some("grpc"), 50051)]);
}

#[test]
fn the_slice_names_every_replica() {
    let slice: EndpointSlice = parse(&endpoints(topology(), |_| true));
    let addresses: Vec<_> = slice
        .endpoints
        .into_iter()
        .flat_map(|e| e.addresses)
        .collect();
    assert_eq!(
        addresses,
        [
            "127.0.1.2",
            "127.0.1.3",
            "127.0.1.4",
            "127.0.1.5",
            "127.0.1.6"
        ]
    );
    assert_eq!(
        slice.metadata.labels.unwrap()["kubernetes.io/service-name"],
        "web"
    );
}

#[test]
fn a_replica_can_be_taken_out_of_the_slice() {
    let slice: EndpointSlice = parse(&endpoints(topology(), |index| index != 1));
    let addresses = slice.endpoints.into_iter().flat_map(|e| e.addresses);
    assert_eq!(
        addresses.collect::<Vec<_>>(),
        ["127.0.1.2", "127.0.1.4", "127.0.1.5", "127.0.1.6"]
    );
}

#[test]
fn a_pod_shows_that_it_is_meshed() {
    let pod: Pod = parse(&pod(&topology().client()));
    assert_eq!(
        pod.metadata.labels.unwrap()["mesh.dev/control-plane-ns"],
        "mesh"
    );
    let spec = pod.spec.unwrap();
    assert_eq!(spec.service_account_name.as_deref(), Some("client"));
    let proxy = spec
        .containers
        .iter()
        .find(|c| c.name == "mesh-proxy")
        .unwrap();
    let inbound = &proxy.env.as_ref().unwrap()[0];
    assert_eq!(
        (inbound.name.as_str(), inbound.value.as_deref()),
        ("MESH_PROXY_INBOUND_LISTEN_ADDR", Some("127.0.1.1:4143"))
    );
    assert_eq!(pod.status.unwrap().pod_ip.as_deref(), Some("127.0.1.1"));
}

#[test]
fn nothing_is_left_to_fill_in() {
    let texts = [
        base(),
        service(topology(), Policy::PeakEwma),
        endpoints(topology(), |_| true),
        pod(&topology().client()),
    ];
    for text in texts {
        assert!(!text.replace("{}", "").contains('{'), "{text}");
    }
}

#[test]
fn a_change_of_policy_replaces_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let manifests = Manifests::create(dir.path(), topology(), Policy::PeakEwma).unwrap();
    let count = || std::fs::read_dir(dir.path()).unwrap().count();
    let before = count();
    manifests.set_policy(Policy::RoundRobin).unwrap();
    assert_eq!(count(), before);
    let text = std::fs::read_to_string(dir.path().join("service.yaml")).unwrap();
    assert!(text.contains("balancer.mesh.dev/policy: round-robin"));
}
