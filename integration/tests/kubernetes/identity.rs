//! Whom the identity service refuses, by what the API server says of a token.

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use mesh_integration::kubernetes::{Cluster, Mesh, PROXY, Scenario, Space, scenario};
use serde_json::{Value, json};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        scenario(
            "identity::another_audience_is_refused",
            another_audience_is_refused,
        ),
        scenario(
            "identity::a_deleted_pod_is_refused",
            a_deleted_pod_is_refused,
        ),
    ]
}

/// Where injection has the proxy's token.
const TOKEN: &str = "mesh-identity-token";

async fn another_audience_is_refused(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = mesh.space("audience").await;
    let mut pod = injected(&space, "thief").await;
    let sources = &mut volume(&mut pod, TOKEN)["projected"]["sources"];
    sources[0]["serviceAccountToken"]["audience"] = json!("somebody.else");
    is_refused(&mesh, &space, pod).await;
}

async fn a_deleted_pod_is_refused(cluster: Cluster) {
    let mesh = cluster.mesh().await;
    let space = mesh.space("deleted").await;
    space.apply(include_str!("identity/app.yaml")).await;
    space.ready_pod("victim").await;
    let cat = ["/mesh-test-pod", "cat", "/token/token"];
    let token = space.exec("victim", "app", &cat).await.ok();
    let pods = space.api::<Pod>();
    pods.delete("victim", &DeleteParams::default())
        .await
        .unwrap();
    space
        .until("the end of the victim", async || {
            pods.get_opt("victim")
                .await
                .unwrap()
                .is_none()
                .then_some(())
        })
        .await;

    let secret = json!({ "metadata": { "name": "stolen" }, "stringData": { (TOKEN): token } });
    let secret: Secret = serde_json::from_value(secret).unwrap();
    let secrets = space.api::<Secret>();
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    let mut pod = injected(&space, "thief").await;
    *volume(&mut pod, TOKEN) = json!({ "name": TOKEN, "secret": { "secretName": "stolen" } });
    is_refused(&mesh, &space, pod).await;
}

/// What a pod of this name becomes, without creating it.
async fn injected(space: &Space, name: &str) -> Value {
    let pod = json!({
        "metadata": { "name": name },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{ "name": "app", "image": "none" }],
        },
    });
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let mut pod = space.api::<Pod>().create(&params, &pod).await.unwrap();
    pod.metadata.uid = None;
    pod.metadata.resource_version = None;
    pod.metadata.creation_timestamp = None;
    serde_json::to_value(&pod).unwrap()
}

fn volume<'a>(pod: &'a mut Value, name: &str) -> &'a mut Value {
    let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
    let found = volumes.iter_mut().find(|volume| volume["name"] == name);
    found.unwrap()
}

/// The pod's proxy asks for a certificate and gets none, so the application does not start.
async fn is_refused(mesh: &Mesh, space: &Space, pod: Value) {
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let name = pod.name_any();
    let pods = space.api::<Pod>();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let said = space
        .until("the proxy to complain", async || {
            let status = pods.get(&name).await.unwrap().status?;
            let proxies = status.init_container_statuses?;
            let proxy = proxies.into_iter().find(|each| each.name == PROXY)?;
            assert!(!proxy.ready && proxy.started != Some(true), "{proxy:?}");
            proxy.state?.running?;
            let said = space.logs(&name, PROXY).await;
            said.contains("certificate").then_some(said)
        })
        .await;
    assert!(said.contains("token"), "{said}");
    let identity = mesh.control_plane();
    let service = identity
        .pods("mesh.dev/control-plane-component=identity")
        .await;
    let log = identity.logs(&service[0], "mesh-identity").await;
    assert!(log.contains("Not certified"), "{log}");
}
