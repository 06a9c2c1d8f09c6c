//! Pods that come and go under load: no request is lost.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{EvictParams, Patch, PatchParams};
use mesh_integration::kubernetes::{Cluster, Scenario, Space, scenario};
use serde_json::json;

use crate::load::Load;
use crate::meshed::shop;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario("churn::rolling_restart", rolling_restart),
        scenario("churn::scale_up_and_down", scale_up_and_down),
        scenario("churn::evict_all", evict_all),
    ]
}

async fn rolling_restart(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "rolling").await;
    let load = Load::start(&space).await;
    let before = space.pods("app=web").await;
    space
        .sh("kubectl rollout restart deployment/web --namespace $SPACE")
        .await
        .ok();
    space.rolled_out("web").await;
    gone(&space, &before).await;
    load.lost_nothing().await;
}

/// From 2 to 10 replicas and back.
async fn scale_up_and_down(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "scale").await;
    scale(&space, 2).await;
    let load = Load::start(&space).await;
    scale(&space, 10).await;
    load.more(40).await;
    scale(&space, 2).await;
    load.lost_nothing().await;
}

/// Waits until that many are there, and no others.
pub(crate) async fn scale(space: &Space, replicas: usize) {
    let deployments = space.api::<Deployment>();
    let scaled = json!({ "spec": { "replicas": replicas } });
    let (params, patch) = (PatchParams::default(), Patch::Merge(scaled));
    deployments
        .patch_scale("web", &params, &patch)
        .await
        .unwrap();
    space.rolled_out("web").await;
    space
        .until(&format!("{replicas} pods"), async || {
            (space.pods("app=web").await.len() == replicas).then_some(())
        })
        .await;
}

/// As `kubectl drain` does it, with a budget that one may be missing.
async fn evict_all(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = shop(&mesh, "evict").await;
    space.apply(include_str!("churn/budget.yaml")).await;
    let load = Load::start(&space).await;
    let before = space.pods("app=web").await;
    for pod in &before {
        evict(&space, pod).await;
    }
    space.rolled_out("web").await;
    gone(&space, &before).await;
    load.lost_nothing().await;
}

/// The API server says 429 as long as the budget is used up.
async fn evict(space: &Space, pod: &str) {
    let pods = space.api::<Pod>();
    space
        .until(&format!("the eviction of {pod}"), async || {
            match pods.evict(pod, &EvictParams::default()).await {
                Ok(_) => Some(()),
                Err(kube::Error::Api(status)) if status.code == 429 => None,
                Err(error) => panic!("{pod} can't be evicted ({error})"),
            }
        })
        .await;
}

async fn gone(space: &Space, pods: &[String]) {
    space
        .until(&format!("the end of {pods:?}"), async || {
            let left = space.pods("app=web").await;
            (!left.iter().any(|pod| pods.contains(pod))).then_some(())
        })
        .await;
}
