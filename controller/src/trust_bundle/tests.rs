//! Namespaces that have the trust bundle, lack it, lose it.

use super::*;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use mesh_identity::ca;
use serde_json::Value;
use std::time::SystemTime;
use tower_test::mock::{self, Handle, SendResponse};

/// A keeper at work, whose API server does what the test says.
struct Kept {
    api: Handle<Request<Body>, Response<Body>>,
    anchors: TrustBundle,
    meshed: watch::Sender<BTreeSet<String>>,
}

fn pem() -> String {
    let made = ca::generate(&ca::Options::default(), SystemTime::now()).unwrap();
    TrustBundle::from_pem(&made.root.pem()).unwrap().to_pem()
}

fn set(namespaces: &[&str]) -> BTreeSet<String> {
    namespaces.iter().map(|name| (*name).to_owned()).collect()
}

impl Kept {
    fn start(meshed: &[&str]) -> Self {
        let (service, api) = mock::pair();
        let kept = Self {
            api,
            anchors: TrustBundle::from_pem(&pem()).unwrap(),
            meshed: watch::Sender::new(set(meshed)),
        };
        let client = Client::new(service, "default");
        let (anchors, meshed) = (kept.anchors.clone(), kept.meshed.subscribe());
        tokio::spawn(Keeper::new(client, anchors, "mesh".to_owned(), meshed).run());
        kept
    }

    /// The next request but watches, which stay open and silent.
    async fn request(&mut self) -> (Request<Body>, SendResponse<Response<Body>>) {
        loop {
            let (request, respond) = self.api.next_request().await.expect("a request");
            if !request
                .uri()
                .query()
                .unwrap_or_default()
                .contains("watch=true")
            {
                return (request, respond);
            }
            tokio::spawn(async move {
                let _open = respond;
                std::future::pending::<()>().await
            });
        }
    }

    async fn list(&mut self, maps: &[(&str, &str)]) {
        let (request, respond) = self.request().await;
        let query = request.uri().query().unwrap_or_default();
        assert!(
            query.contains("fieldSelector=metadata.name%3Dmesh-trust-bundle"),
            "{query}"
        );
        let items: Vec<_> = maps
            .iter()
            .map(|(namespace, text)| map(namespace, text))
            .collect();
        respond.send_response(ok(&json!({"kind": "ConfigMapList", "apiVersion": "v1",
            "metadata": {"resourceVersion": "10"}, "items": items})));
    }

    /// Expects a bundle to be written, and answers well.
    async fn written(&mut self) -> (String, String) {
        let (request, respond) = self.request().await;
        assert_eq!(request.method(), "PATCH");
        let query = request.uri().query().unwrap_or_default().to_owned();
        assert!(query.contains("fieldManager=mesh-controller"), "{query}");
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let sent: Value = serde_json::from_slice(&body).unwrap();
        respond.send_response(ok(&sent));
        let namespace = path.split('/').nth(4).unwrap_or_default().to_owned();
        (namespace, sent["data"][KEY].as_str().unwrap().to_owned())
    }

    async fn refuse(&mut self, code: u16, status: &Value) {
        let (_, respond) = self.request().await;
        let body = Body::from(status.to_string().into_bytes());
        respond.send_response(Response::builder().status(code).body(body).unwrap());
    }
}

fn map(namespace: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {KEY: text},
        "metadata": {"name": NAME, "namespace": namespace, "resourceVersion": "1"}})
}

fn ok(body: &Value) -> Response<Body> {
    Response::new(Body::from(Bytes::from(body.to_string()).to_vec()))
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_or_old_is_written() {
    let mut kept = Kept::start(&["mesh", "new", "old", "right"]);
    let anchors = kept.anchors.to_pem();
    kept.list(&[("old", "another"), ("right", &anchors), ("unmeshed", "x")])
        .await;
    assert_eq!(kept.written().await, ("new".to_owned(), anchors.clone()));
    assert_eq!(kept.written().await, ("old".to_owned(), anchors.clone()));

    kept.meshed.send_replace(set(&["new", "later"]));
    assert_eq!(kept.written().await, ("later".to_owned(), anchors));
}

#[tokio::test(start_paused = true)]
async fn new_anchors_reach_every_namespace() {
    let mut kept = Kept::start(&["a", "b"]);
    kept.list(&[]).await;
    kept.written().await;
    kept.written().await;
    let both = kept.anchors.to_pem() + &pem();
    kept.anchors.replace_pem(&both).unwrap();
    assert_eq!(kept.written().await, ("a".to_owned(), both.clone()));
    assert_eq!(kept.written().await, ("b".to_owned(), both));
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_after_a_pause() {
    let mut kept = Kept::start(&["a"]);
    kept.list(&[]).await;
    let start = Instant::now();
    let leaving = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "being terminated", "details": {"causes": [{"reason": "NamespaceTerminating"}]}});
    kept.refuse(403, &leaving).await;
    kept.refuse(
        500,
        &json!({"kind": "Status", "status": "Failure", "code": 500}),
    )
    .await;
    kept.written().await;
    assert!(start.elapsed() >= 2 * PAUSE, "{:?}", start.elapsed());
}
