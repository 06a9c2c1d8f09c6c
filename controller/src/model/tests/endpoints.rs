//! Which endpoints a client gets, and what is said of them.

use super::{index, index_with, name, settings, view};
use crate::model::{
    Index,
    endpoint::{Endpoint, WEIGHT},
    endpoints::EndpointsQuery,
    profile::{ProfileQuery, ProfileView},
};

const SERVICE: &str = "
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 80, targetPort: http, name: web}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: a, labels: {topology.kubernetes.io/zone: zone-a}}}
---
";

fn slice(family: &str, endpoints: &str) -> String {
    format!(
        "---\n{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: {family}, metadata: {{name: web-{family}, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}, ports: [{{name: web, port: 8080}}], endpoints: [{endpoints}]}}\n"
    )
}

fn pod(extra: &str, annotations: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: web-0, namespace: shop, labels: {{mesh.dev/control-plane-ns: mesh{extra}}}, annotations: {{{annotations}}}}}, spec: {{containers: [{{name: app}}, {{name: mesh-proxy, env: [{{name: LINKERD2_PROXY_INBOUND_LISTEN_ADDR, value: '[::]:14143'}}]}}]}}, status: {{podIP: 10.0.0.1}}}}\n"
    )
}

fn query(text: &str, node: Option<&str>) -> EndpointsQuery {
    EndpointsQuery {
        service: name(text),
        node: node.map(str::to_owned),
    }
}

fn addresses(index: &Index, text: &str, node: Option<&str>) -> Vec<String> {
    let view = view(index, &query(text, node));
    view.endpoints.keys().map(ToString::to_string).collect()
}

fn only(index: &Index, text: &str, node: Option<&str>) -> Endpoint {
    let view = view(index, &query(text, node));
    assert_eq!(view.endpoints.len(), 1);
    view.endpoints.into_values().next().unwrap()
}

#[test]
fn ready_endpoints_at_the_port_of_the_slice() {
    let index = index(&format!(
        "{SERVICE}{}",
        slice(
            "IPv4",
            "{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}}, {addresses: [127.0.1.3], conditions: {ready: true}}"
        )
    ));
    assert_eq!(
        addresses(&index, "web.shop:80", None),
        ["10.0.0.1:8080", "127.0.1.3:8080"]
    );
    assert_eq!(
        addresses(&index, "web.shop:81", None),
        ["10.0.0.1:81", "127.0.1.3:81"]
    );
}

#[test]
fn ipv6_is_preferred_for_a_pod_with_both() {
    let v4 = "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: web-0}}, {addresses: [10.0.0.2], targetRef: {kind: Pod, name: web-1}}, {addresses: [10.0.0.3]}";
    let v6 = "{addresses: ['fd00::1'], targetRef: {kind: Pod, name: web-0}}";
    let manifests = format!("{SERVICE}{}{}", slice("IPv4", v4), slice("IPv6", v6));
    let both = index(&manifests);
    let expected = ["10.0.0.2:8080", "10.0.0.3:8080", "[fd00::1]:8080"];
    assert_eq!(addresses(&both, "web.shop", None), expected);

    let mut only_v4 = settings();
    only_v4.ipv6 = false;
    let only_v4 = index_with(&manifests, only_v4);
    let expected = ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"];
    assert_eq!(addresses(&only_v4, "web.shop", None), expected);
}

#[test]
fn hints_are_a_wish() {
    let hinted = |hints: [&str; 2]| {
        let each = |i: usize, zone: &str| match zone {
            "" => format!("{{addresses: [10.0.0.{i}]}}"),
            zone => format!("{{addresses: [10.0.0.{i}], hints: {{forZones: [{{name: {zone}}}]}}}}"),
        };
        let endpoints = format!("{}, {}", each(1, hints[0]), each(2, hints[1]));
        addresses(
            &index(&format!("{SERVICE}{}", slice("IPv4", &endpoints))),
            "web.shop",
            Some("a"),
        )
    };
    assert_eq!(hinted(["zone-a", "zone-b"]), ["10.0.0.1:8080"]);
    assert_eq!(hinted(["zone-a", ""]).len(), 2, "one has no hint");
    assert_eq!(
        hinted(["zone-b", "zone-b"]).len(),
        2,
        "none is meant for the client"
    );
}

#[test]
fn a_local_service_stays_on_the_node() {
    let local = SERVICE.replace("spec: {ports", "spec: {internalTrafficPolicy: Local, ports");
    let endpoints = "{addresses: [10.0.0.1], nodeName: a}, {addresses: [10.0.0.2], nodeName: b}, {addresses: [10.0.0.3]}";
    let index = index(&format!("{local}{}", slice("IPv4", endpoints)));
    assert_eq!(addresses(&index, "web.shop", Some("a")), ["10.0.0.1:8080"]);
    assert!(addresses(&index, "web.shop", None).is_empty());
}

#[test]
fn one_pod_by_hostname() {
    let endpoints =
        "{addresses: [10.0.0.1], hostname: web-0}, {addresses: [10.0.0.2], hostname: web-1}";
    let index = index(&format!("{SERVICE}{}", slice("IPv4", endpoints)));
    assert_eq!(addresses(&index, "web-1.web.shop", None), ["10.0.0.2:8080"]);
    assert!(addresses(&index, "web-2.web.shop", None).is_empty());
    let profile = |text| ProfileQuery::Service(name(text));
    let address = "10.0.0.2:8080".parse().unwrap();
    assert_eq!(
        view(&index, &profile("web-1.web.shop")),
        ProfileView::Unknown { address }
    );
}

#[test]
fn the_local_zone_may_weigh_more() {
    let endpoints = "{addresses: [10.0.0.1], zone: zone-a}, {addresses: [10.0.0.2], zone: zone-b}";
    let manifests = format!("{SERVICE}{}", slice("IPv4", endpoints));
    let weights = |prefer_local_zone| {
        let mut settings = settings();
        settings.prefer_local_zone = prefer_local_zone;
        let view = view(
            &index_with(&manifests, settings),
            &query("web.shop", Some("a")),
        );
        view.endpoints
            .into_values()
            .map(|endpoint| endpoint.weight)
            .collect::<Vec<_>>()
    };
    assert_eq!(weights(false), [WEIGHT, WEIGHT]);
    assert_eq!(weights(true), [WEIGHT * 10, WEIGHT]);
}

#[test]
fn what_a_meshed_pod_offers() {
    let endpoint = "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: web-0}}";
    let mesh = |pod: &str| {
        let index = index(&format!("{SERVICE}{}{pod}", slice("IPv4", endpoint)));
        only(&index, "web.shop", None)
    };
    let endpoint = mesh(&pod("", ""));
    assert_eq!(
        endpoint.identity().as_deref(),
        Some("default.shop.serviceaccount.identity.mesh.cluster.local")
    );
    let meshed = endpoint.mesh.expect("label and container");
    assert_eq!(
        (meshed.inbound_port, meshed.opaque, meshed.h2_upgrade),
        (14143, false, true)
    );
    assert_eq!(
        mesh(&pod("", "config.mesh.dev/skip-inbound-ports: '8000-8100'")).mesh,
        None
    );
    let other = mesh(&pod("", "").replace("control-plane-ns: mesh", "control-plane-ns: theirs"));
    assert!(other.mesh.is_some(), "another mesh is one too");
    assert_eq!(other.identity(), None);
    assert_eq!(
        mesh(&pod("", "").replace("mesh-proxy", "sidecar")).mesh,
        None,
        "no proxy in it"
    );
}

#[test]
fn metric_labels_name_the_owner() {
    let owned = pod(", pod-template-hash: 5f6", "").replace(
        "metadata: {name",
        "metadata: {ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5f6, uid: u, controller: true}], name",
    );
    let endpoint = "{addresses: [10.0.0.1], zone: zone-b, targetRef: {kind: Pod, name: web-0}}";
    let index = index(&format!("{SERVICE}{}{owned}", slice("IPv4", endpoint)));
    let endpoint = only(&index, "web.shop", Some("a"));
    let labels: Vec<_> = endpoint.labels().collect();
    for label in [
        ("deployment", "web"),
        ("zone_locality", "remote"),
        ("pod_template_hash", "5f6"),
    ] {
        assert!(labels.contains(&label), "{label:?} in {labels:?}");
    }
}

/// A slice as the API server has it, which says which pod of a name it means.
const NAMED: &str = "
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}, ports: [{port: 80}], endpoints: [{addresses: [10.1.0.1], targetRef: {kind: Pod, name: web-0, namespace: shop, uid: new}}]}
---
";

#[test]
fn an_endpoint_waits_for_its_pod() {
    let pod = |uid: &str| {
        format!(
            "{NAMED}{{apiVersion: v1, kind: Pod, metadata: {{name: web-0, namespace: shop, {uid}}}, spec: {{containers: []}}}}"
        )
    };
    for (manifests, known) in [
        (NAMED.to_owned(), false),
        (pod("uid: old"), false),
        (pod("uid: new"), true),
        // A manifest written by hand has no uid.
        (pod(""), true),
    ] {
        let addresses = addresses(&index(&manifests), "web.shop:80", None);
        assert_eq!(addresses.len(), usize::from(known), "{manifests}");
    }
}

#[test]
fn terminating_endpoints_are_left_at_once() {
    let conditions = "conditions: {ready: false, serving: true, terminating: true}, targetRef";
    let manifests = NAMED
        .replace(", uid: new", "")
        .replace("targetRef", conditions);
    assert!(addresses(&index(&manifests), "web.shop:80", None).is_empty());
}
