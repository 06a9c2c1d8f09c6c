//! The images of the control plane, as pods.

use std::path::Path;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::{ObjectMeta, PostParams};
use mesh_identity::ca;
use mesh_identity::token::AUDIENCE;
use mesh_identity::token::local::{LocalTokenKey, TOKEN_PUBLIC_KEY};
use mesh_integration::kubernetes::{Cluster, Scenario, Space, scenario};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![scenario("control_plane::starts", starts)]
}

/// The controller gets a certificate from the identity service, and both are ready.
async fn starts(cluster: Cluster) {
    let space = cluster.space("mesh").await;
    create_secrets(&space).await;
    space
        .apply(include_str!("control_plane/identity.yaml"))
        .await;
    let identity = space.api::<Service>().get("mesh-identity").await.unwrap();
    let identity_ip = identity.spec.unwrap().cluster_ip.unwrap();
    let controller = include_str!("control_plane/controller.yaml");
    space
        .apply(&controller.replace("$IDENTITY_IP", &identity_ip))
        .await;
    space.rolled_out("mesh-identity").await;
    space.rolled_out("mesh-controller").await;

    space.apply(include_str!("pods/client.yaml")).await;
    space.ready_pod("client").await;
    let get = ["/mesh-test-pod", "get", "http://mesh-identity:9990/metrics"];
    let metrics = space.exec("client", "client", &get).await.ok();
    let issued = metrics
        .lines()
        .any(|line| line.starts_with("identity_certificates_total"));
    assert!(issued, "{metrics}");
}

/// A CA, and a token of the controller, signed by a key that the identity service knows.
async fn create_secrets(space: &Space) {
    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
    let key = LocalTokenKey::create(dir.path()).unwrap();
    let hour = std::time::Duration::from_secs(3600);
    let token = key
        .sign("mesh", "mesh-destination", AUDIENCE, hour)
        .unwrap();
    std::fs::write(dir.path().join("controller.token"), token).unwrap();
    let files = [
        ca::TRUST_ANCHORS,
        ca::ISSUER_CERTIFICATE,
        ca::ISSUER_KEY,
        TOKEN_PUBLIC_KEY,
    ];
    create_secret(space, "identity", dir.path(), &files).await;
    create_secret(
        space,
        "controller",
        dir.path(),
        &[ca::TRUST_ANCHORS, "controller.token"],
    )
    .await;
}

async fn create_secret(space: &Space, name: &str, dir: &Path, files: &[&str]) {
    let read = |file: &&str| {
        let content = std::fs::read(dir.join(file)).unwrap();
        ((*file).to_owned(), ByteString(content))
    };
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(files.iter().map(read).collect()),
        ..Secret::default()
    };
    let secrets = space.api::<Secret>();
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
}
