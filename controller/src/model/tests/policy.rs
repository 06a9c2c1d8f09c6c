//! Policies: who may connect, and what becomes of a connection.

use super::{index, index_with, name, settings, view};
use crate::model::{
    Index,
    inbound::{DefaultPolicy, InboundQuery, InboundView},
    outbound::{OutboundQuery, OutboundView, Protocol},
    query::Query,
};

fn pod(annotation: &str, namespace: &str) -> String {
    format!(
        "
{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, annotations: {{{namespace}}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: web-0, namespace: shop, annotations: {{{annotation}}}}}
spec:
  containers:
  - name: app
    ports: [{{name: http, containerPort: 8080}}]
    readinessProbe: {{httpGet: {{path: '/ready?full=1', port: http}}}}
    livenessProbe: {{httpGet: {{path: /live, port: 8080}}}}
  - name: mesh-proxy
    livenessProbe: {{httpGet: {{path: /live, port: 4191}}}}
"
    )
}

fn inbound(index: &Index, port: u16) -> InboundView {
    let query = InboundQuery {
        namespace: "shop".to_owned(),
        pod: "web-0".to_owned(),
        port,
    };
    view(index, &query)
}

#[test]
fn every_default_policy() {
    let cases = [
        ("all-unauthenticated", Some((2, false))),
        ("all-authenticated", Some((2, true))),
        ("cluster-unauthenticated", Some((5, false))),
        ("cluster-authenticated", Some((5, true))),
        ("deny", None),
        ("audit", Some((2, false))),
    ];
    for (name, expected) in cases {
        let annotation = format!("config.mesh.dev/default-inbound-policy: {name}");
        let view = inbound(&index(&pod(&annotation, "")), 8080);
        assert_eq!(view.policy.name(), name);
        let found = view
            .authorizations
            .first()
            .map(|a| (a.networks.len(), a.authenticated));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn the_pod_wins_over_the_namespace_over_the_operator() {
    let mut settings = settings();
    settings.default_policy = DefaultPolicy::Deny;
    let policy = |pod_says: &str, namespace_says: &str| {
        let annotation = |name: &str| match name {
            "" => String::new(),
            name => format!("config.mesh.dev/default-inbound-policy: {name}"),
        };
        let manifests = pod(&annotation(pod_says), &annotation(namespace_says));
        inbound(&index_with(&manifests, settings.clone()), 8080)
            .policy
            .name()
    };
    assert_eq!(policy("audit", "all-authenticated"), "audit");
    assert_eq!(policy("", "all-authenticated"), "all-authenticated");
    assert_eq!(policy("", ""), "deny");
    assert_eq!(
        policy("nonsense", "nonsense"),
        "deny",
        "bad values are left out"
    );
}

#[test]
fn some_ports_need_an_identity() {
    let annotation = "config.mesh.dev/proxy-require-identity-inbound-ports: http";
    let index = index(&pod(annotation, ""));
    assert_eq!(
        inbound(&index, 8080).policy,
        DefaultPolicy::AllAuthenticated
    );
    assert_eq!(
        inbound(&index, 9090).policy,
        DefaultPolicy::AllUnauthenticated
    );
}

#[test]
fn probes_of_the_application() {
    let index = index(&pod("", ""));
    let probes: Vec<_> = inbound(&index, 8080).probes.into_iter().collect();
    assert_eq!(probes, ["/live", "/ready"]);
    assert!(
        inbound(&index, 4191).probes.is_empty(),
        "the proxy answers its own"
    );
}

#[test]
fn outbound_targets() {
    let index = index(
        "
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIPs: [10.2.0.1, 'fd00::1'], ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: ext, namespace: shop}, spec: {type: ExternalName, externalName: example.com}}
---
{apiVersion: v1, kind: Pod, metadata: {name: local, namespace: shop}, spec: {containers: []}, status: {podIP: 127.0.1.5}}
",
    );
    let at = |address: &str| OutboundQuery::Address(address.parse().unwrap()).view(&index);
    for address in ["10.2.0.1:80", "[fd00::1]:80"] {
        assert!(
            matches!(at(address), Some(OutboundView::Service(p)) if p.protocol == Protocol::Detect)
        );
    }
    assert!(
        matches!(at("10.2.0.1:81"), Some(OutboundView::Service(p)) if p.protocol == Protocol::Undefined)
    );
    assert_eq!(at("10.9.9.9:80"), None, "in the cluster, but no service");
    assert_eq!(at("127.0.1.5:80"), None, "a pod");
    assert!(matches!(at("192.0.2.1:80"), Some(OutboundView::Forward(_))));
    for text in ["ext.shop", "nope.shop", "web.nowhere"] {
        assert_eq!(
            OutboundQuery::Service(name(text)).view(&index),
            None,
            "{text}"
        );
    }
}
