//! Services and the pods behind them, as kube-proxy and CoreDNS do it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Service;
use mesh_integration::kubernetes::{Cluster, Scenario, Space, scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario(
        "services::three_replicas_answer",
        three_replicas_answer,
    )]
}

async fn three_replicas_answer(cluster: Cluster) {
    let space = cluster.space("web").await;
    space.apply(include_str!("services/web.yaml")).await;
    space.apply(include_str!("pods/client.yaml")).await;
    space.rolled_out("web").await;
    space.ready_pod("client").await;
    let pods: BTreeSet<String> = space.pods("app=web").await.into_iter().collect();
    assert_eq!(pods.len(), 3);

    let web = space.api::<Service>().get("web").await.unwrap();
    let cluster_ip = web.spec.unwrap().cluster_ip.unwrap();
    all_answer(&space, &format!("http://{cluster_ip}/hello"), &pods).await;
    all_answer(&space, "http://web/hello", &pods).await;
    let full = format!("http://web.{}.svc.cluster.local/hello", space.name());
    all_answer(&space, &full, &pods).await;
}

/// Connections to `url` reach each of `pods`, and nobody else.
async fn all_answer(space: &Space, url: &str, pods: &BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    space
        .until(&format!("answers of all pods to {url}"), async || {
            let get = ["/mesh-test-pod", "get", url];
            let said = space.exec("client", "client", &get).await;
            // kube-proxy and CoreDNS hear of a ready pod a moment later.
            if seen.is_empty() && !said.success {
                return None;
            }
            let said = said.ok();
            let pod = said.strip_suffix(" /hello\n").unwrap();
            assert!(pods.contains(pod), "{said}");
            seen.insert(pod.to_owned());
            (seen == *pods).then_some(())
        })
        .await;
}
