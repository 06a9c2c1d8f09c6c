//! Opaque ports, from each of the four places, in each of the four answers.

use super::{index, name, view};
use crate::model::{
    Index,
    endpoints::EndpointsQuery,
    inbound::InboundQuery,
    outbound::{OutboundQuery, OutboundView, Protocol},
    profile::{ProfileQuery, ProfileView},
};

/// Annotations of Service, Pod and Namespace, as `opaque-ports` values.
#[derive(Default)]
struct Annotated {
    service: Option<&'static str>,
    pod: Option<&'static str>,
    namespace: Option<&'static str>,
}

/// A service whose port 80 leads to the port 8080 of its pod, and 3306 to 3306.
fn manifests(annotated: &Annotated) -> Index {
    let annotation = |value: Option<&str>| match value {
        Some(ports) => format!("annotations: {{config.mesh.dev/opaque-ports: '{ports}'}}, "),
        None => String::new(),
    };
    index(&format!(
        "
{{apiVersion: v1, kind: Namespace, metadata: {{{}name: shop}}}}
---
{{apiVersion: v1, kind: Service, metadata: {{{}name: web, namespace: shop}}, spec: {{ports: [{{name: a, port: 80, targetPort: 8080}}, {{name: b, port: 3306}}]}}}}
---
{{apiVersion: v1, kind: Pod, metadata: {{{}name: web-0, namespace: shop, labels: {{mesh.dev/control-plane-ns: mesh}}}}, spec: {{containers: [{{name: mesh-proxy}}]}}, status: {{podIP: 10.0.0.1}}}}
---
{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {{name: web-1, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}, ports: [{{name: a, port: 8080}}, {{name: b, port: 3306}}], endpoints: [{{addresses: [10.0.0.1], targetRef: {{kind: Pod, name: web-0}}}}]}}
",
        annotation(annotated.namespace),
        annotation(annotated.service),
        annotation(annotated.pod),
    ))
}

/// Is the port opaque? All four answers must say the same.
fn opaque(annotated: Annotated, service_port: u16, pod_port: u16) -> bool {
    let index = manifests(&annotated);
    let service = name(&format!("web.shop:{service_port}"));
    let get = EndpointsQuery {
        service: service.clone(),
        node: None,
    };
    let endpoints = view(&index, &get).endpoints;
    let get = endpoints
        .values()
        .any(|e| e.mesh.as_ref().is_some_and(|mesh| mesh.opaque));
    let profile = match view(&index, &ProfileQuery::Service(service.clone())) {
        ProfileView::Service { opaque, .. } => opaque,
        other => panic!("{other:?}"),
    };
    let outbound = match view(&index, &OutboundQuery::Service(service)) {
        OutboundView::Service(policy) => policy.protocol == Protocol::Opaque,
        OutboundView::Forward(address) => panic!("{address}"),
    };
    let inbound = InboundQuery {
        namespace: "shop".to_owned(),
        pod: "web-0".to_owned(),
        port: pod_port,
    };
    let inbound = view(&index, &inbound).opaque;
    assert_eq!(
        [get, profile, outbound, inbound],
        [get; 4],
        "get, profile, outbound, inbound"
    );
    get
}

#[test]
fn nobody_says_so() {
    assert!(!opaque(Annotated::default(), 80, 8080));
}

#[test]
fn the_service_says_so_of_its_port() {
    let service = |ports| Annotated {
        service: Some(ports),
        ..Annotated::default()
    };
    assert!(opaque(service("80"), 80, 8080));
    assert!(opaque(service("a"), 80, 8080), "by the port's name");
    assert!(!opaque(service("8080"), 80, 8080), "that is the pod's port");
}

#[test]
fn the_pod_says_so_of_its_port() {
    let pod = |ports| Annotated {
        pod: Some(ports),
        ..Annotated::default()
    };
    assert!(opaque(pod("8000-8100"), 80, 8080));
    assert!(!opaque(pod("80"), 80, 8080), "that is the service's port");
}

#[test]
fn the_namespace_says_so() {
    let namespace = Annotated {
        namespace: Some("80,8080"),
        ..Annotated::default()
    };
    assert!(opaque(namespace, 80, 8080));
}

#[test]
fn the_default_list_says_so_until_someone_else_speaks() {
    assert!(opaque(Annotated::default(), 3306, 3306));
    let service = Annotated {
        service: Some(""),
        ..Annotated::default()
    };
    assert!(!opaque(service, 3306, 3306));
    let pod = Annotated {
        pod: Some("1"),
        ..Annotated::default()
    };
    assert!(!opaque(pod, 3306, 3306));
    let namespace = Annotated {
        namespace: Some(""),
        ..Annotated::default()
    };
    assert!(!opaque(namespace, 3306, 3306));
}

#[test]
fn service_and_pod_are_joined() {
    let both = Annotated {
        service: Some("80"),
        pod: Some(""),
        namespace: Some(""),
    };
    assert!(opaque(both, 80, 8080));
}
