//! The node itself, and the DNS of its pods.

use k8s_openapi::api::core::v1::{Node, Service};
use kube::Api;
use kube::api::ListParams;
use mesh_integration::kubernetes::{Cluster, Scenario, scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario("node::is_ready", is_ready),
        scenario("node::dns_answers", dns_answers),
    ]
}

async fn is_ready(cluster: Cluster) {
    let nodes = Api::<Node>::all(cluster.client());
    let nodes = nodes.list(&ListParams::default()).await.unwrap();
    assert!(!nodes.items.is_empty(), "a cluster has nodes");
    for node in nodes {
        let status = node.status.unwrap();
        let conditions = status.conditions.unwrap();
        let ready = conditions.iter().find(|each| each.type_ == "Ready");
        assert_eq!(ready.unwrap().status, "True", "{conditions:?}");
        // An API server that does not know its version says v0.0.0.
        let version = status.node_info.unwrap().kubelet_version;
        assert!(version.starts_with("v1."), "{version}");
    }
}

async fn dns_answers(cluster: Cluster) {
    let services = Api::<Service>::namespaced(cluster.client(), "default");
    let server = services.get("kubernetes").await.unwrap();
    let server_ip = server.spec.unwrap().cluster_ip.unwrap();
    let space = cluster.space("dns").await;
    space.apply(include_str!("pods/client.yaml")).await;
    space.ready_pod("client").await;
    for name in ["kubernetes.default", "kubernetes.default.svc.cluster.local"] {
        let resolve = ["/mesh-test-pod", "resolve", name];
        let said = space.exec("client", "client", &resolve).await.ok();
        assert_eq!(said.trim(), server_ip, "{name}");
    }
    let nobody = [
        "/mesh-test-pod",
        "resolve",
        "nobody.default.svc.cluster.local.",
    ];
    let said = space.exec("client", "client", &nobody).await;
    assert!(!said.success, "{said}");
}
