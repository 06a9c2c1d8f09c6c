//! From what a cluster has to what it is to have.

use super::*;
use crate::install::{credentials::Pair, testing};
use clap::Parser;
use mesh_identity::ca;
use serde_json::{Value, json};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    flags: Flags,
}

fn flags(line: &[&str]) -> Flags {
    Line::parse_from(std::iter::once(&"mesh").chain(line)).flags
}

/// What a mesh was installed with.
fn installed(text: &str) -> (Vec<Value>, Credentials) {
    let values = Values::default().overlaid("test", text).unwrap();
    let credentials = Credentials::of(&values, SystemTime::now()).unwrap();
    (
        control_plane::objects(&values, &credentials, "0.0.9"),
        credentials,
    )
}

async fn upgraded(objects: Vec<Value>, line: &[&str]) -> Result<Upgrade, String> {
    let cluster = testing::cluster(objects);
    let upgrade = Upgrade::from(&cluster, &flags(line), SystemTime::now()).await;
    upgrade.map_err(|error| error.to_string())
}

fn file(dir: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    let named = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(named)
}

#[tokio::test]
async fn what_was_said_stays_and_flags_win() {
    let (objects, credentials) =
        installed("registry: example.com\nproxyDefaults: {proxy-uid: '7'}");
    let upgrade = upgraded(objects, &["--ha", "--set", "proxy-gid=8"])
        .await
        .unwrap();
    assert_eq!(upgrade.values.registry, "example.com");
    assert_eq!(upgrade.values.replicas(), 3);
    assert_eq!(upgrade.values.proxy_defaults.len(), 2);
    let objects = upgrade.objects();
    let labels = &find(&objects, "Deployment", "mesh-identity").unwrap()["metadata"]["labels"];
    assert_eq!(labels["app.kubernetes.io/version"], VERSION);
    let anchors = find(&objects, "ConfigMap", "mesh-trust-bundle").unwrap();
    assert_eq!(
        anchors["data"]["ca-bundle.crt"],
        credentials.trust_anchors.as_str()
    );
    assert!(find(&objects, "Secret", "mesh-identity-issuer").is_none());
    assert_eq!(
        upgrade.notes,
        [format!(
            "upgrading the mesh in namespace mesh from 0.0.9 to {VERSION}"
        )]
    );
}

/// Both anchors, then the new issuer, then the new anchor alone: docs/install.md.
#[tokio::test]
async fn a_root_is_rotated_in_three_steps() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, before) = installed("");
    let next = ca::generate(&ca::Options::default(), SystemTime::now()).unwrap();
    let both = file(
        &dir,
        "both.crt",
        &format!("{}{}", before.trust_anchors, next.root.pem()),
    );
    let alone = file(&dir, "ca.crt", &next.root.pem());
    let certificate = file(&dir, "issuer.crt", &next.issuer.pem());
    let key = file(&dir, "issuer.key", &next.issuer.key().serialize_pem());
    let anchors = |path: &str| format!("--identity-trust-anchors-file={path}");
    let issuer = [
        format!("--identity-issuer-certificate-file={certificate}"),
        format!("--identity-issuer-key-file={key}"),
    ];
    let issuer = issuer.each_ref().map(String::as_str);

    // Not yet trusted, and the issuer in force does not lead to the new root alone.
    let early = upgraded(objects.clone(), &issuer).await.unwrap_err();
    assert!(early.contains("would be refused by peers"), "{early}");
    let early = upgraded(objects.clone(), &[&anchors(&alone)])
        .await
        .unwrap_err();
    assert!(early.contains("would be refused by peers"), "{early}");

    let first = upgraded(objects.clone(), &[&anchors(&both)]).await.unwrap();
    assert_eq!(first.notes.len(), 1, "nobody is cut off: {:?}", first.notes);
    assert!(find(&first.objects(), "Secret", "mesh-identity-issuer").is_none());
    let objects = applied(objects, first.objects());

    let second = upgraded(objects.clone(), &issuer).await.unwrap();
    assert!(find(&second.objects(), "Secret", "mesh-identity-issuer").is_some());
    let objects = applied(objects, second.objects());

    let third = upgraded(objects, &[&anchors(&alone)]).await.unwrap();
    assert!(
        third.notes[1].starts_with("warning: 1 of the trust anchors in force would go"),
        "{:?}",
        third.notes
    );
    assert_eq!(third.credentials.trust_anchors, next.root.pem());
}

/// As `kubectl apply`.
fn applied(mut objects: Vec<Value>, new: Vec<Value>) -> Vec<Value> {
    for object in new {
        let meta = |object: &Value| (object["kind"].clone(), object["metadata"]["name"].clone());
        objects.retain(|old| meta(old) != meta(&object));
        objects.push(object);
    }
    objects
}

#[tokio::test]
async fn an_external_issuer_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (objects, _) = installed("");
    let upgrade = upgraded(objects.clone(), &["--identity-external-issuer"])
        .await
        .unwrap();
    assert_eq!(upgrade.credentials.issuer, None::<Pair>);
    let key = file(&dir, "key", "key");
    let error = upgraded(
        objects,
        &[
            "--identity-external-issuer",
            &format!("--identity-issuer-key-file={key}"),
        ],
    )
    .await;
    assert!(
        error
            .unwrap_err()
            .contains("--identity-external-issuer with")
    );
}

#[tokio::test]
async fn what_identities_have_in_them_can_not_change() {
    let (objects, _) = installed("");
    let error = upgraded(objects, &["--trust-domain=example.org"])
        .await
        .unwrap_err();
    assert!(
        error
            .starts_with("--trust-domain: \"example.org\": the running mesh has \"cluster.local\""),
        "{error}"
    );
}

#[tokio::test]
async fn without_a_mesh_or_with_helms_there_is_nothing_to_upgrade() {
    let error = upgraded(Vec::new(), &[]).await.unwrap_err();
    assert!(error.starts_with("no mesh in namespace mesh"), "{error}");
    let (mut objects, _) = installed("");
    objects[1]["metadata"]["annotations"] =
        json!({"meta.helm.sh/release-name": "m", "meta.helm.sh/release-namespace": "infra"});
    let error = upgraded(objects, &[]).await.unwrap_err();
    assert!(
        error.contains("helm upgrade m deploy/helm/mesh --namespace infra"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_lost_or_newer_is_named() {
    let (objects, _) = installed("");
    for (kind, name) in [
        ("ConfigMap", "mesh-trust-bundle"),
        ("Secret", "mesh-identity-issuer"),
    ] {
        let mut objects = objects.clone();
        objects.retain(|object| object["kind"] != kind || object["metadata"]["name"] != name);
        let error = upgraded(objects, &[]).await.unwrap_err();
        assert!(
            error.contains(&format!("({kind} {name}): give the certificates anew")),
            "{error}"
        );
    }
    let mut newer = objects;
    newer[1]["data"]["values.yaml"] = "colour: red\n".into();
    let error = upgraded(newer, &[]).await.unwrap_err();
    assert!(
        error.starts_with("ConfigMap mesh/mesh-config: colour: unknown field"),
        "{error}"
    );
    assert!(error.contains("newer version"), "{error}");
}
