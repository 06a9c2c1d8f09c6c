//! `mesh upgrade` under load.

use mesh_integration::kubernetes::{Cluster, Mesh, Scenario, Space, exclusive};

use crate::load::Load;
use crate::meshed::{pod_of, shop};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![exclusive("upgrade::loses_nothing", loses_nothing)]
}

/// The control plane is replaced, twice, and workloads are rolled to the proxies that it injects.
async fn loses_nothing(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "upgrade").await;
    let load = Load::start(&space).await;
    let anchors = anchors(&mesh).await;
    for level in ["debug", "info"] {
        let before = mesh
            .control_plane()
            .pods("app.kubernetes.io/part-of=mesh")
            .await;
        let line = format!("mesh upgrade --log {level} | kubectl apply -f -");
        cluster.sh(&line).await.ok();
        mesh.rolled_out().await;
        gone(&mesh, &before).await;
        load.more(20).await;
    }
    let line = "kubectl rollout restart deployment/web --namespace $SPACE";
    space.sh(line).await.ok();
    space.rolled_out("web").await;
    load.lost_nothing().await;
    assert_eq!(
        anchors,
        self::anchors(&mesh).await,
        "an upgrade keeps the CA"
    );
    assert_sees_client(&mesh, &space).await;
}

/// The new control plane tells the new pods to an old client, which still knows whom it talks to.
async fn assert_sees_client(mesh: &Mesh, space: &Space) {
    let web = pod_of(space, "web").await;
    let client = format!("client_id=\"client.{}.", space.name());
    let labels = ["direction=\"inbound\"", &*client];
    let seen = mesh
        .metric((space, &web, "web"), "request_total", &labels)
        .await;
    assert!(seen > 0);
}

async fn anchors(mesh: &Mesh) -> String {
    let line =
        "kubectl get configmap/mesh-trust-bundle --namespace $SPACE --output 'jsonpath={.data}'";
    mesh.control_plane().sh(line).await.ok()
}

async fn gone(mesh: &Mesh, pods: &[String]) {
    let control_plane = mesh.control_plane();
    control_plane
        .until(&format!("the end of {pods:?}"), async || {
            let left = control_plane.pods("app.kubernetes.io/part-of=mesh").await;
            (!left.iter().any(|pod| pods.contains(pod))).then_some(())
        })
        .await;
}
