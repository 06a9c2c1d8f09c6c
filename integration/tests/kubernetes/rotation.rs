//! The mesh moves to a new CA under load: the new anchor beside the old one, the new issuer, the old anchor out.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use mesh_identity::ca;
use mesh_integration::kubernetes::{Cluster, Mesh, Scenario, Space, exclusive};
use serde_json::json;

use crate::load::Load;
use crate::meshed::shop_in;

/// The ConfigMap with the anchors.
const BUNDLE: &str = "mesh-trust-bundle";
/// Its key.
const KEY: &str = "ca-bundle.crt";
/// A proxy asks for a new certificate every day, these every 20 seconds.
const HASTY: (&str, &str) = ("MESH_PROXY_IDENTITY_MAX_REFRESH", "20s");

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![exclusive("rotation::loses_nothing", loses_nothing)]
}

async fn loses_nothing(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = cluster.space("rotation").await;
    mesh.annotate(&space, &[HASTY]).await;
    shop_in(&space).await;
    let load = Load::start(&space).await;

    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
    let file = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let (old, new) = (anchors(&mesh).await, file(ca::TRUST_ANCHORS));

    set_anchors(&mesh, &format!("{old}{new}")).await;
    anchors_arrive(&space, &format!("{old}{new}")).await;
    load.more(100).await;

    set_issuer(&mesh, &file(ca::ISSUER_CERTIFICATE), &file(ca::ISSUER_KEY)).await;
    let loads = || service_metric(&space, "identity_issuer_loads_total{result=\"ok\"}");
    space
        .until("the new issuer", async || {
            (loads().await >= 2).then_some(())
        })
        .await;
    renewed(&mesh, &space).await;

    set_anchors(&mesh, &new).await;
    anchors_arrive(&space, &new).await;
    load.more(100).await;
    // Handshakes of new pods, which trust the new anchor alone.
    space
        .sh("kubectl rollout restart deployment/web --namespace $SPACE")
        .await
        .ok();
    space.rolled_out("web").await;
    load.lost_nothing().await;
    mesh.rolled_out().await;
}

async fn anchors(mesh: &Mesh) -> String {
    let bundle = mesh
        .control_plane()
        .api::<ConfigMap>()
        .get(BUNDLE)
        .await
        .unwrap();
    bundle.data.unwrap().remove(KEY).unwrap()
}

async fn set_anchors(mesh: &Mesh, pem: &str) {
    let bundles = mesh.control_plane().api::<ConfigMap>();
    let patch = Patch::Merge(json!({ "data": { (KEY): pem } }));
    bundles
        .patch(BUNDLE, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

async fn set_issuer(mesh: &Mesh, certificate: &str, key: &str) {
    let secrets = mesh.control_plane().api::<Secret>();
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let data = json!({ "data": { "tls.crt": bytes(certificate), "tls.key": bytes(key) } });
    let (params, patch) = (PatchParams::default(), Patch::Merge(data));
    secrets
        .patch("mesh-identity-issuer", &params, &patch)
        .await
        .unwrap();
}

/// Waits until kubelet has put the anchors in front of the pods, where proxies look every two seconds.
async fn anchors_arrive(space: &Space, pem: &str) {
    let web = space.pods("app=web").await;
    let pods = web
        .iter()
        .map(|pod| (&**pod, "web"))
        .chain([("load", "load")]);
    for (pod, container) in pods {
        let cat = ["/mesh-test-pod", "cat", "/trust/ca-bundle.crt"];
        space
            .until(&format!("the anchors in {pod}"), async || {
                let said = space.exec(pod, container, &cat).await.ok();
                (said == pem).then_some(())
            })
            .await;
    }
}

/// Waits until all proxies have a certificate that they did not have at the call.
async fn renewed(mesh: &Mesh, space: &Space) {
    let name = "control_identity_cert_refresh_timestamp_seconds";
    let web = space.pods("app=web").await;
    let pods = web
        .iter()
        .map(|pod| (&**pod, "web"))
        .chain([("load", "load")]);
    for (pod, container) in pods {
        let before = mesh.metric((space, pod, container), name, &[]).await;
        space
            .until(&format!("a certificate of {pod}"), async || {
                let now = mesh.metric((space, pod, container), name, &[]).await;
                (now > before).then_some(())
            })
            .await;
    }
}

/// What the identity service counts.
async fn service_metric(space: &Space, sample: &str) -> u64 {
    let url = "http://mesh-identity-headless.mesh:9990/metrics";
    let get = ["/mesh-test-pod", "get", url];
    let metrics = space.exec("load", "load", &get).await.ok();
    let mut values = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(sample)?.trim().parse().ok());
    values.next().unwrap_or(0)
}
