//! The mesh moves to a new CA under load: the new anchor beside the old one, the new issuer, the old anchor out.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Patch, PatchParams};
use mesh_identity::{TrustBundle, ca};
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
    anchors_arrive(&mesh, &space, &format!("{old}{new}")).await;
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
    anchors_arrive(&mesh, &space, &new).await;
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

/// Waits until the proxies have these anchors in force.
async fn anchors_arrive(mesh: &Mesh, space: &Space, pem: &str) {
    let fingerprint = TrustBundle::from_pem(pem).unwrap().fingerprint();
    let label = format!("sha256=\"{fingerprint}\"");
    for (pod, container) in &pods(space).await {
        let name = "control_identity_trust_anchors_info";
        space
            .until(&format!("the anchors in {pod}"), async || {
                let labels = [&*label];
                let found = mesh.metric((space, pod, container), name, &labels);
                (found.await == 1).then_some(())
            })
            .await;
    }
}

/// Waits until all proxies have a certificate that they did not have at the call.
async fn renewed(mesh: &Mesh, space: &Space) {
    let name = "control_identity_cert_refresh_timestamp_seconds";
    let mut before = Vec::new();
    for (pod, container) in pods(space).await {
        let at = mesh.metric((space, &pod, container), name, &[]).await;
        before.push((pod, container, at));
    }
    for (pod, container, at) in &before {
        space
            .until(&format!("a certificate of {pod}"), async || {
                let now = mesh.metric((space, pod, container), name, &[]);
                (now.await > *at).then_some(())
            })
            .await;
    }
}

/// Those whose proxies carry the load, and a container of each.
async fn pods(space: &Space) -> Vec<(String, &'static str)> {
    let web = space.pods("app=web").await;
    let mut pods: Vec<_> = web.into_iter().map(|pod| (pod, "web")).collect();
    pods.push(("load".to_owned(), "load"));
    pods
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
