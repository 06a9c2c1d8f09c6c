//! The API server goes away and comes back.

use mesh_integration::kubernetes::{Cluster, Mesh, Scenario, Space, exclusive};

use crate::churn::scale;
use crate::load::Load;
use crate::meshed::shop;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![exclusive("api_server::restarts", restarts)]
}

/// Traffic does not notice, and what changes afterwards is heard, by a controller whose watches can't go on: while it was away, things
/// changed and were forgotten, so it is answered 410.
async fn restarts(cluster: Cluster) {
    if !cluster.is_ours() {
        eprintln!("left out: the API server is somebody else's");
        return;
    }
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "restart").await;
    let load = Load::start(&space).await;
    let controller = cluster.pause("--serve=destination");
    let version = version(&space).await;
    for change in ["one", "two"] {
        let line =
            format!("kubectl annotate service/web --overwrite --namespace $SPACE change={change}");
        space.sh(&line).await.ok();
    }
    cluster.restart_api_server().await;
    let watch = format!(
        "kubectl get --raw '/api/v1/services?watch=1&timeoutSeconds=1&resourceVersion={version}'"
    );
    let said = cluster.sh(&watch).await;
    assert!(said.to_string().contains("410"), "{said}");
    drop(controller);

    let before = space.pods("app=web").await;
    scale(&space, 4).await;
    for pod in space.pods("app=web").await {
        if !before.contains(&pod) {
            is_asked(&mesh, &space, &pod).await;
        }
    }
    load.lost_nothing().await;
    mesh.rolled_out().await;
}

/// Of the Service, as a watch of it would know.
async fn version(space: &Space) -> String {
    let line = "kubectl get service/web --namespace $SPACE --output 'jsonpath={.metadata.resourceVersion}'";
    space.sh(line).await.ok()
}

/// A pod that is new gets its share.
async fn is_asked(mesh: &Mesh, space: &Space, pod: &str) {
    let labels = ["direction=\"inbound\"", "tls=\"true\""];
    space
        .until(&format!("requests to {pod}"), async || {
            let asked = mesh
                .metric((space, pod, "web"), "request_total", &labels)
                .await;
            (asked > 0).then_some(())
        })
        .await;
}
