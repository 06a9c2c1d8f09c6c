//! The injection webhook as a whole: an API server, replicas of the injector, and
//! pods that are made.

mod client;

use crate::{
    api_server::{ApiServer, Fault},
    mesh::Mesh,
    process::{http, ready_says, until},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use client::{pod, review, roots, send, warnings};
use serde_json::{Value, json};

const ENABLED: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {mesh.dev/inject: enabled}}}";
const CONFIGURATION: &str = "{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {name: mesh-injector}, webhooks: [{name: injector.mesh.dev, clientConfig: {service: {name: mesh-injector, namespace: mesh}}, sideEffects: NoneOnDryRun, admissionReviewVersions: [v1]}]}";

/// An API server with a namespace that asks for proxies, and the webhook configuration.
async fn cluster() -> ApiServer {
    let api = ApiServer::start().await;
    api.apply(ENABLED);
    api.apply(CONFIGURATION);
    api
}

fn patch(answer: &Value) -> String {
    let patch = answer["response"]["patch"].as_str().expect("a patch");
    String::from_utf8(STANDARD.decode(patch).unwrap()).unwrap()
}

#[tokio::test]
async fn replicas_are_trusted_and_inject() {
    let api = cluster().await;
    let first = Mesh::injector(&api, "proxy-log-level: trace\n").await;
    ready_says(&first, "200", &["ready\n"]).await;
    assert_eq!(roots(&api).len(), 1, "trusted before it is ready");
    let second = Mesh::injector(&api, "proxy-log-level: trace\n").await;
    ready_says(&second, "200", &["ready\n"]).await;
    assert_eq!(roots(&api).len(), 2);
    for replica in [&first, &second] {
        let (status, answer) = send(&api, replica, &review("shop", &pod("web"))).await;
        assert_eq!(status, 200);
        assert!(patch(&answer).contains("trace"), "the proxy defaults count");
    }
    until(async || api.get("ConfigMap", "shop", "mesh-trust-bundle").is_some()).await;

    // Somebody wipes the bundle: both put their roots in again.
    let empty = CONFIGURATION.replace("clientConfig: {", "clientConfig: {caBundle: '', ");
    api.apply(&empty);
    until(async || roots(&api).len() == 2).await;
    send(&api, &first, &review("shop", &pod("web"))).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_pod_may_come_a_moment_before_its_namespace() {
    let api = cluster().await;
    let mesh = Mesh::injector(&api, "").await;
    ready_says(&mesh, "200", &["ready\n"]).await;
    let review = review("new", &pod("web"));
    let asked = send(&api, &mesh, &review);
    let made = async { api.apply(&ENABLED.replace("shop", "new")) };
    let ((status, answer), ()) = tokio::join!(asked, made);
    assert_eq!(status, 200);
    patch(&answer);
    until(async || api.get("ConfigMap", "new", "mesh-trust-bundle").is_some()).await;

    let (status, answer) = send(&api, &mesh, &client::review("never", &pod("web"))).await;
    assert_eq!(
        (status, answer),
        (503, json!("namespace never is not known yet\n"))
    );
}

#[tokio::test]
async fn decisions_are_told_once_on_the_object() {
    let api = cluster().await;
    let mesh = Mesh::injector(&api, "").await;
    ready_says(&mesh, "200", &["ready\n"]).await;
    let mut skipped = pod("web");
    skipped["spec"]["hostNetwork"] = json!(true);
    for _ in 0..3 {
        let (_, answer) = send(&api, &mesh, &review("shop", &skipped)).await;
        assert_eq!(answer["response"]["allowed"], true);
    }
    send(&api, &mesh, &review("shop", &pod("last"))).await;
    until(async || api.all("Event").len() == 2).await;
    let events = api.all("Event");
    let skipped = events
        .iter()
        .find(|event| event["reason"] == "InjectionSkipped");
    let skipped = skipped.expect("it is told");
    assert_eq!(skipped["type"], "Warning");
    assert_eq!(skipped["involvedObject"]["name"], "web");
    let message = skipped["message"].as_str().unwrap();
    assert!(message.contains("(host_network_enabled)"), "{message}");
    assert_eq!(api.requests("create", "events"), 2, "the same is said once");
}

#[tokio::test]
async fn whatever_an_object_is_there_is_an_answer() {
    let api = cluster().await;
    let mesh = Mesh::injector(&api, "").await;
    ready_says(&mesh, "200", &["ready\n"]).await;
    let strange = [
        json!(null),
        json!([1]),
        json!({"metadata": 7, "spec": {"containers": []}}),
        json!({"spec": {"containers": "none"}}),
        json!({"spec": {"containers": [{"name": 3}]}}),
        json!({"spec": {"containers": [null]}}),
        json!({"metadata": {"ownerReferences": {"a": 1}}, "spec": {"containers": [{"name": "a", "ports": [{"containerPort": "x"}]}]}}),
    ];
    for object in strange {
        let (status, answer) = send(&api, &mesh, &review("shop", &object)).await;
        assert_eq!(status, 200, "{object}");
        assert_eq!(answer["response"]["allowed"], true, "{object}");
        let text = warnings(&answer);
        assert!(
            text.contains("it can't be read as a pod: "),
            "{object}: {text}"
        );
    }
    for (body, why) in [
        (json!({}), "no AdmissionReview: missing field"),
        (
            json!({"apiVersion": "v2", "kind": "AdmissionReview"}),
            "apiVersion \"v2\"",
        ),
        (
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}),
            "without a request",
        ),
    ] {
        let (status, answer) = send(&api, &mesh, &body).await;
        assert_eq!(status, 400);
        assert!(answer.as_str().unwrap().contains(why), "{answer}");
    }
}

#[tokio::test]
async fn what_is_in_the_way_is_named_and_waited_out() {
    let mut api = cluster().await;
    api.stop().await;
    let mesh = Mesh::injector(&api, "").await;
    let roots = "waiting for the injector's roots in MutatingWebhookConfiguration mesh-injector: ";
    ready_says(
        &mesh,
        "503",
        &["waiting for namespaces", roots, "Connection refused"],
    )
    .await;

    let plural = "mutatingwebhookconfigurations";
    let allow = |verb| {
        format!(
            "that allows the verbs {verb} on {plural}.admissionregistration.k8s.io, only the one named mesh-injector"
        )
    };
    api.fault("list", "namespaces", Fault::Forbidden);
    api.fault("get", plural, Fault::Garbage);
    api.start_again().await;
    ready_says(
        &mesh,
        "503",
        &[
            "not read: Namespace since",
            "cannot list",
            "verbs list, watch on namespaces",
        ],
    )
    .await;
    ready_says(&mesh, "503", &[roots, "answer makes no sense"]).await;
    api.heal();
    api.fault("get", plural, Fault::Forbidden);
    ready_says(&mesh, "503", &[roots, &allow("get")]).await;
    api.heal();
    api.fault("patch", plural, Fault::Forbidden);
    ready_says(&mesh, "503", &[roots, "cannot patch", &allow("patch")]).await;
    api.heal();
    ready_says(&mesh, "200", &["ready\n"]).await;

    // From now on it stays, whatever happens, and says what does.
    api.delete(CONFIGURATION);
    ready_says(
        &mesh,
        "200",
        &["it does not exist; make it with mesh install"],
    )
    .await;
    api.apply(CONFIGURATION);
    until(async || {
        http(mesh.admin_addr(), "/ready")
            .await
            .ends_with("\r\n\r\nready\n")
    })
    .await;
    send(&api, &mesh, &review("shop", &pod("web"))).await;
}

#[tokio::test]
async fn watches_that_end_at_once_are_asked_for_with_patience() {
    let api = cluster().await;
    api.fault("watch", "namespaces", Fault::Dropped);
    let mesh = Mesh::injector(&api, "").await;
    ready_says(&mesh, "200", &["ready\n"]).await;
    let start = tokio::time::Instant::now();
    let before = api.requests("watch", "namespaces");
    until(async || api.requests("watch", "namespaces") >= before + 4).await;
    assert!(start.elapsed().as_millis() > 1000, "{:?}", start.elapsed());
    api.apply(&ENABLED.replace("shop", "new"));
    api.heal();
    until(async || api.get("ConfigMap", "new", "mesh-trust-bundle").is_some()).await;
}

#[tokio::test]
async fn destinations_are_served_without_writing() {
    let api = cluster().await;
    let mesh = Mesh::of_cluster(&api).await;
    ready_says(&mesh, "200", &["ready\n"]).await;
    // What is wrong with an object is told on it.
    api.apply("{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, uid: u1, annotations: {config.mesh.dev/opaque-ports: smtp}}, spec: {ports: [{port: 80}]}}");
    until(async || !api.all("Event").is_empty()).await;
    let event = &api.all("Event")[0];
    assert_eq!(event["involvedObject"]["uid"], "u1");
    assert_eq!(event["involvedObject"]["kind"], "Service");
    let message = event["message"].as_str().unwrap();
    assert!(
        message.contains("config.mesh.dev/opaque-ports"),
        "{message}"
    );
    assert_eq!(api.requests("patch", "configmaps"), 0);
    assert_eq!(api.requests("get", "mutatingwebhookconfigurations"), 0);
    assert_eq!(api.requests("create", "events"), 1);
}
