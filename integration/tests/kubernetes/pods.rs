//! What kubelet does for pods, as far as a mesh builds on it.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use mesh_integration::kubernetes::{Cluster, Scenario, scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario(
        "pods::a_native_sidecar_restarts_alone",
        a_native_sidecar_restarts_alone,
    )]
}

/// A sidecar that crashes comes back while the application keeps running.
async fn a_native_sidecar_restarts_alone(cluster: Cluster) {
    let space = cluster.space("sidecar").await;
    space.apply(include_str!("pods/sidecar.yaml")).await;
    space.ready_pod("app").await;
    let pods = space.api::<Pod>();
    space
        .until("one restart of the sidecar", async || {
            let status = pods.get("app").await.unwrap().status?;
            let [sidecar] = &status.init_container_statuses?[..] else {
                return None;
            };
            let [app] = &status.container_statuses?[..] else {
                return None;
            };
            assert_eq!(app.restart_count, 0, "{app:?}");
            (sidecar.restart_count == 1 && runs(sidecar) && runs(app)).then_some(())
        })
        .await;
}

fn runs(container: &ContainerStatus) -> bool {
    let state = container.state.as_ref();
    container.ready && state.is_some_and(|state| state.running.is_some())
}
