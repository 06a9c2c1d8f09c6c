//! The API server goes away and comes back.

use mesh_integration::kubernetes::{Cluster, Mesh, Scenario, Space, exclusive};

use crate::churn::scale;
use crate::load::Load;
use crate::meshed::shop;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![exclusive("api_server::restarts", restarts)]
}

/// Traffic does not notice, and what changes afterwards is heard.
async fn restarts(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "restart").await;
    let load = Load::start(&space).await;
    if !cluster.restart_api_server() {
        eprintln!("left out: the API server is somebody else's");
        return;
    }
    let line = "until kubectl get --raw /readyz >/dev/null 2>&1; do :; done";
    cluster.sh(line).await.ok();
    let before = space.pods("app=web").await;
    scale(&space, 5).await;
    for pod in space.pods("app=web").await {
        if !before.contains(&pod) {
            is_asked(&mesh, &space, &pod).await;
        }
    }
    load.lost_nothing().await;
    mesh.rolled_out().await;
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
