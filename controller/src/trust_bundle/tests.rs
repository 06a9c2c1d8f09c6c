//! Namespaces that have the trust bundle, lack it, lose it.

use super::*;
use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::client::Body;
use mesh_identity::ca;
use serde_json::Value;
use std::{convert::Infallible, time::SystemTime};
use tokio::sync::mpsc;
use tower_test::mock::{self, Handle, SendResponse};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A keeper at work, whose API server does what the test says.
struct Kept {
    api: Handle<Request<Body>, Answer>,
    watch: Option<mpsc::UnboundedSender<Bytes>>,
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
            watch: None,
            anchors: TrustBundle::from_pem(&pem()).unwrap(),
            meshed: watch::Sender::new(set(meshed)),
        };
        let client = Client::new(service, "default");
        let (anchors, meshed) = (kept.anchors.clone(), kept.meshed.subscribe());
        tokio::spawn(Keeper::new(client, anchors, "mesh".to_owned(), meshed).run());
        kept
    }

    /// The next request but watches, which stay open.
    async fn request(&mut self) -> (Request<Body>, SendResponse<Answer>) {
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
            self.open(respond);
        }
    }

    fn open(&mut self, respond: SendResponse<Answer>) {
        let (sender, lines) = mpsc::unbounded_channel::<Bytes>();
        let frames = stream::unfold(lines, |mut lines| async {
            let line = lines.recv().await?;
            Some((Ok(Frame::data(line)), lines))
        });
        respond.send_response(Response::new(StreamBody::new(frames).boxed_unsync()));
        self.watch = Some(sender);
    }

    /// Somebody else changes a bundle.
    async fn change(&mut self, namespace: &str, text: &str) {
        let event = json!({"type": "MODIFIED", "object": map(namespace, text)});
        loop {
            if let Some(watch) = self.watch.as_ref().filter(|watch| !watch.is_closed()) {
                let _ = watch.send(format!("{event}\n").into());
                return;
            }
            let (request, respond) = self.api.next_request().await.expect("a watch");
            let query = request.uri().query().unwrap_or_default();
            assert!(query.contains("watch=true"), "{query}");
            self.open(respond);
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
        let body = Full::new(Bytes::from(status.to_string())).boxed_unsync();
        respond.send_response(Response::builder().status(code).body(body).unwrap());
    }
}

fn map(namespace: &str, text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {KEY: text},
        "metadata": {"name": NAME, "namespace": namespace, "resourceVersion": "1"}})
}

fn ok(body: &Value) -> Answer {
    Response::new(Full::new(Bytes::from(body.to_string())).boxed_unsync())
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

#[tokio::test(start_paused = true)]
async fn a_bundle_that_was_written_once_is_kept_where_nobody_asks_any_more() {
    let mut kept = Kept::start(&[]);
    let mut ours = map("left", "old");
    ours["metadata"]["labels"] = json!({MANAGED_BY: MANAGER});
    let theirs = map("foreign", "old");
    let (_, respond) = kept.request().await;
    respond.send_response(ok(&json!({"kind": "ConfigMapList", "apiVersion": "v1",
        "metadata": {"resourceVersion": "10"}, "items": [ours, theirs]})));
    assert_eq!(kept.written().await.0, "left");
    let both = kept.anchors.to_pem() + &pem();
    kept.anchors.replace_pem(&both).unwrap();
    assert_eq!(kept.written().await, ("left".to_owned(), both));
}

#[tokio::test(start_paused = true)]
async fn two_keepers_with_other_anchors_do_not_fight() {
    let mut kept = Kept::start(&["a"]);
    kept.list(&[]).await;
    kept.written().await;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let start = Instant::now();
        kept.change("a", "theirs").await;
        kept.written().await;
        pauses.push(start.elapsed().as_secs());
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
}

#[tokio::test(start_paused = true)]
async fn a_quarrel_is_forgotten_after_a_while() {
    let mut quarrel = Quarrel {
        pause: PAUSE,
        last: None,
    };
    quarrel.undone();
    quarrel.undone();
    assert_eq!(quarrel.pause, 2 * PAUSE);
    tokio::time::advance(PEACE).await;
    assert_eq!(quarrel.undone(), Instant::now() + PAUSE);
}
