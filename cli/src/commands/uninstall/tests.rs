//! What is found, and when nothing is printed.

use super::*;
use crate::install::{self, Credentials, Values, testing};
use serde_json::{Value, json};
use std::time::SystemTime;

fn installed() -> Vec<Value> {
    let values = Values::default()
        .overlaid("test", "highAvailability: true")
        .unwrap();
    let credentials = Credentials::of(&values, SystemTime::now()).unwrap();
    let mut objects = install::objects(&values, &credentials, "0.0.9");
    objects.push(bundle("shop", "mesh-controller"));
    objects
}

fn bundle(namespace: &str, manager: &str) -> Value {
    let labels =
        json!({"app.kubernetes.io/part-of": "mesh", "app.kubernetes.io/managed-by": manager});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata":
        {"name": "mesh-trust-bundle", "namespace": namespace, "labels": labels}})
}

fn pod(name: &str, phase: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "status": {"phase": phase}, "metadata":
        {"name": name, "namespace": "shop", "labels": {"mesh.dev/control-plane-ns": "mesh"}}})
}

#[tokio::test]
async fn everything_is_found_in_an_order_that_makes_nothing_anew() {
    let objects = installed();
    let mut expected: Vec<_> = objects.iter().map(Reference::of).collect();
    let found = found(&testing::cluster(objects), false).await.unwrap();
    let place = |kind: &str, name: &str| {
        let named = |found: &Reference| {
            found.json()["kind"] == kind && found.json()["metadata"]["name"] == name
        };
        found.iter().position(named).unwrap()
    };
    assert_eq!(place("MutatingWebhookConfiguration", "mesh-injector"), 0);
    assert!(
        place("ClusterRoleBinding", "mesh-mesh-injector") < place("Deployment", "mesh-injector")
    );
    assert_eq!(place("Namespace", "mesh"), found.len() - 2);
    assert_eq!(
        found.last().unwrap().json()["metadata"]["namespace"],
        "shop"
    );
    expected.retain(|object| !found.contains(object));
    assert_eq!(expected, []);
}

#[tokio::test]
async fn the_objects_of_others_stay() {
    let mut objects = installed();
    let ours = objects.len();
    objects.push(bundle("other", "somebody"));
    objects.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "mesh"}}));
    let found = found(&testing::cluster(objects), false).await.unwrap();
    assert_eq!(found.len(), ours);
}

#[tokio::test]
async fn pods_with_a_proxy_are_listed_and_not_left_alone_by_mistake() {
    let mut objects = installed();
    objects.extend([pod("done", "Succeeded"), pod("web", "Running")]);
    let cluster = testing::cluster(objects);
    let error = found(&cluster, false).await.unwrap_err().to_string();
    assert!(
        error.starts_with("1 pods have a proxy of this mesh:\n  shop/web\n"),
        "{error}"
    );
    assert!(found(&cluster, true).await.is_ok());
}

#[tokio::test]
async fn a_cluster_without_a_mesh_is_told() {
    let error = found(&testing::cluster(Vec::new()), false)
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("nothing to uninstall"),
        "{error}"
    );
}

#[test]
fn a_long_list_is_cut() {
    let pods = (0..60).map(|number| PodName {
        namespace: "shop".to_owned(),
        name: format!("web-{number}"),
    });
    let text = UninstallError::Meshed(pods.collect()).to_string();
    assert_eq!(text.lines().count(), 53);
    assert!(text.contains("  and 10 more"), "{text}");
}
