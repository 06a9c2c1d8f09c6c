//! What leaves, how often, and when something is in the way.

use super::*;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{self, Handle};

fn note(name: &str, text: &str) -> Note {
    Note {
        about: ObjectReference {
            kind: Some("Service".to_owned()),
            api_version: Some("v1".to_owned()),
            name: Some(name.to_owned()),
            namespace: Some("shop".to_owned()),
            uid: Some("u1".to_owned()),
            ..ObjectReference::default()
        },
        severity: Severity::Warning,
        reason: "Reason",
        text: text.to_owned(),
    }
}

fn now() -> Timestamp {
    "2026-11-21T17:00:00Z".parse().unwrap()
}

type Api = Handle<Request<Body>, Response<Body>>;

fn start() -> (Recorder, Api) {
    let (service, api) = mock::pair();
    let (recorder, writer) = Recorder::new(Client::new(service, "default"), "mesh-test");
    tokio::spawn(writer.run());
    (recorder, api)
}

/// The next event that is written, answered with a status.
async fn written(api: &mut Api, status: u16) -> Value {
    let (request, respond) = api.next_request().await.expect("a request");
    assert_eq!(request.method(), "POST");
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let event: Value = serde_json::from_slice(&body).unwrap();
    let namespace = event["metadata"]["namespace"].as_str().unwrap();
    assert_eq!(path, format!("/api/v1/namespaces/{namespace}/events"));
    let answer = match status {
        201 => event.clone(),
        code => json!({"kind": "Status", "status": "Failure", "code": code, "message": "no"}),
    };
    let response = Response::builder().status(status);
    respond.send_response(
        response
            .body(Body::from(answer.to_string().into_bytes()))
            .unwrap(),
    );
    event
}

#[tokio::test(start_paused = true)]
async fn the_same_is_said_once_and_failures_keep_nobody() {
    let (recorder, mut api) = start();
    for text in ["one", "one", "two", "three", "one"] {
        recorder.tell(note("web", text));
    }
    for (text, status) in [("one", 201), ("two", 403), ("three", 409)] {
        let event = written(&mut api, status).await;
        assert_eq!(event["message"], text);
        assert_eq!(event["involvedObject"]["uid"], "u1");
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["source"]["component"], "mesh-test");
    }
    let mut cluster_wide = note("shop", "four");
    cluster_wide.about.namespace = None;
    recorder.tell(cluster_wide);
    let event = written(&mut api, 201).await;
    assert_eq!(event["metadata"]["namespace"], "default");
}

#[test]
fn replicas_agree_on_a_name_for_a_while() {
    let (a, b) = (note("web-", "x"), note("web-", "y"));
    let later = now() + Duration::from_secs(WINDOW as u64);
    assert_eq!(
        name(&a, now()),
        name(&a.clone(), now() + Duration::from_secs(599))
    );
    assert_ne!(name(&a, now()), name(&a, later));
    assert_ne!(name(&a, now()), name(&b, now()));
    assert!(name(&a, now()).starts_with("web."), "{}", name(&a, now()));
    assert!(name(&note(&"x".repeat(253), ""), now()).len() <= 253);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_leave_at_once() {
    let (service, _api) = mock::pair::<Request<Body>, Response<Body>>();
    let (_sender, notes) = mpsc::channel(1);
    let mut writer = Writer::new(Client::new(service, "default"), "mesh-test", notes);
    let burst = (0..BURST * 2).filter(|_| writer.may_leave()).count();
    assert_eq!(burst, BURST as usize);
    tokio::time::advance(REFILL * 3).await;
    assert_eq!((0..9).filter(|_| writer.may_leave()).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_said_again_in_the_next_window() {
    let (service, _api) = mock::pair::<Request<Body>, Response<Body>>();
    let (_sender, notes) = mpsc::channel(1);
    let mut writer = Writer::new(Client::new(service, "default"), "mesh-test", notes);
    let said = [0, 1, WINDOW - 1, WINDOW, 2 * WINDOW]
        .map(|after| writer.is_new(&note("web", "x"), now() + Duration::from_secs(after as u64)));
    assert_eq!(said, [true, false, false, true, true]);
}

#[test]
fn long_texts_are_cut_between_characters() {
    assert_eq!(shortened("short"), "short");
    let long = shortened(&"é".repeat(2000));
    assert!(
        long.ends_with("é...") && long.chars().count() == LONGEST,
        "{}",
        long.len()
    );
}
