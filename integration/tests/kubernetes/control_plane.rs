//! The control plane, as it is installed.

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use mesh_integration::kubernetes::{Cluster, Scenario, scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario("control_plane::starts", starts)]
}

/// All parts are ready without a restart, and the others have certificates of the identity service.
async fn starts(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let pods = mesh.control_plane().api::<Pod>();
    let pods = pods.list(&ListParams::default()).await.unwrap();
    let statuses = pods.items.into_iter().filter_map(|pod| pod.status);
    for container in statuses
        .filter_map(|status| status.container_statuses)
        .flatten()
    {
        assert_eq!(container.restart_count, 0, "{container:?}");
    }

    let space = cluster.space("outside").await;
    space.apply(include_str!("pods/client.yaml")).await;
    space.ready_pod("client").await;
    let url = "http://mesh-identity-headless.mesh:9990/metrics";
    let get = ["/mesh-test-pod", "get", url];
    space
        .until("a certificate", async || {
            let metrics = space.exec("client", "client", &get).await.ok();
            let sample = "identity_certificates_total{result=\"ok\"} ";
            let mut issued = metrics.lines().filter_map(|line| line.strip_prefix(sample));
            issued.any(|count| count != "0").then_some(())
        })
        .await;
}
