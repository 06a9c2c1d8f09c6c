//! An API server that does what a test says, request by request.

use super::super::{Events, Freshness, collect::Update, follow::Follower, resource};
use crate::{
    events::{Note, Recorder},
    model::object::{Change, Kind},
};
use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Client, client::Body};
use serde_json::{Value, json};
use std::convert::Infallible;
use tokio::sync::{mpsc, watch};
use tower::Layer as _;
use tower_test::mock::{self, Handle, SendResponse};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The slices of a cluster, followed.
pub(super) struct Watched {
    api: Handle<Request<Body>, Answer>,
    updates: mpsc::Receiver<Update>,
    text: watch::Receiver<String>,
    notes: mpsc::Receiver<Note>,
}

/// An open watch.
pub(super) struct Watch(mpsc::UnboundedSender<Bytes>);

impl Watch {
    pub(super) fn send(&self, line: &str) {
        let _ = self.0.send(Bytes::from(line.to_owned()));
    }

    pub(super) fn close(self) {}
}

impl Watched {
    pub(super) fn new() -> Self {
        let (service, api) = mock::pair();
        let freshness = Freshness::default();
        let client = Client::new(freshness.layer(service), "default");
        let kind = Kind::EndpointSlice;
        let events = Events::new(Api::<EndpointSlice>::all(client), "", resource(kind));
        let (changes, updates) = mpsc::channel(100);
        let text = freshness.text();
        let (recorder, notes) = Recorder::channel();
        tokio::spawn(Follower::new(kind, freshness, changes, recorder).run(events));
        Self {
            api,
            updates,
            text,
            notes,
        }
    }

    /// The same after a first list, version 10.
    pub(super) async fn listed(names: &[&str]) -> Self {
        let mut api = Self::new();
        let slices: Vec<_> = names.iter().map(|name| slice(name, 1)).collect();
        api.list("10", &slices).await;
        for name in names {
            api.expect(&[&format!("+{name}")]).await;
        }
        api.expect(&["listed"]).await;
        api
    }

    /// The next request, whose query must have this part.
    async fn request(&mut self, part: &str) -> SendResponse<Answer> {
        let (request, respond) = self.api.next_request().await.expect("a request");
        let uri = request.uri();
        assert_eq!(uri.path(), "/apis/discovery.k8s.io/v1/endpointslices");
        let query = uri.query().unwrap_or_default();
        assert!(query.contains(part), "{query} has no {part}");
        respond
    }

    /// Answers the next request, whose query must have this part.
    pub(super) async fn answer(&mut self, part: &str, status: u16, body: &str) {
        let respond = self.request(part).await;
        let body = http_body_util::Full::new(Bytes::from(body.to_owned()));
        let response = Response::builder().status(status);
        respond.send_response(response.body(body.boxed_unsync()).unwrap());
    }

    pub(super) async fn refuse(&mut self, part: &str, code: u16, reason: &str, message: &str) {
        let status = status(code, reason, message).to_string();
        self.answer(part, code, &status).await;
    }

    /// Answers a list with all objects.
    pub(super) async fn list(&mut self, version: &str, items: &[Value]) {
        self.answer("limit=250", 200, &list(version, "", items))
            .await;
    }

    /// Answers a list with a part of them: the one after `part`, followed by `next`.
    pub(super) async fn page(&mut self, part: &str, next: &str, items: &[Value]) {
        let query = match part {
            "" => "limit=250".to_owned(),
            part => format!("continue={part}"),
        };
        self.answer(&query, 200, &list("10", next, items)).await;
    }

    /// Opens a watch, which must go on from this version.
    pub(super) async fn watch(&mut self, version: &str) -> Watch {
        let respond = self.request(&format!("resourceVersion={version}")).await;
        let (sender, lines) = mpsc::unbounded_channel::<Bytes>();
        let frames = stream::unfold(lines, |mut lines| async {
            let line = lines.recv().await?;
            Some((Ok(http_body::Frame::data(line)), lines))
        });
        respond.send_response(Response::new(StreamBody::new(frames).boxed_unsync()));
        Watch(sender)
    }

    /// The next update: `+NAME`, `-NAME` or `listed`.
    pub(super) async fn update(&mut self) -> String {
        match self.updates.recv().await.expect("an update") {
            Update::Change(Change::Apply(object)) => format!("+{}", object.key().name),
            Update::Change(Change::Delete(key)) => format!("-{}", key.name),
            Update::Listed(_) => "listed".to_owned(),
        }
    }

    pub(super) async fn expect(&mut self, updates: &[&str]) {
        for expected in updates {
            assert_eq!(&self.update().await, expected);
        }
    }

    pub(super) fn expect_quiet(&mut self) {
        assert!(self.updates.try_recv().is_err());
    }

    /// What is told on an object next.
    pub(super) async fn note(&mut self) -> Note {
        self.notes.recv().await.expect("a note")
    }

    pub(super) fn expect_no_note(&mut self) {
        assert!(self.notes.try_recv().is_err());
    }

    /// What people are told.
    pub(super) fn text(&self) -> String {
        self.text.borrow().clone()
    }

    /// What they are told next.
    pub(super) async fn next_text(&mut self) -> String {
        self.text.changed().await.expect("the follower lives");
        self.text.borrow_and_update().clone()
    }
}

fn list(version: &str, next: &str, items: &[Value]) -> String {
    json!({
        "kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1",
        "metadata": {"resourceVersion": version, "continue": next}, "items": items,
    })
    .to_string()
}

pub(super) fn slice(name: &str, version: u32) -> Value {
    json!({
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "IPv4",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("u-{name}"), "resourceVersion": version.to_string(),
            "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "", "port": 80}],
        "endpoints": [{"addresses": ["10.0.0.1"]}],
    })
}

pub(super) fn slice_of_no_service(name: &str, version: u32) -> Value {
    let mut slice = slice(name, version);
    slice["metadata"]["labels"] = json!({});
    slice
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

pub(super) fn added(slice: Value) -> String {
    event("ADDED", &slice)
}

pub(super) fn deleted(slice: Value) -> String {
    event("DELETED", &slice)
}

pub(super) fn bookmark(version: &str) -> String {
    let object = json!({"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
        "metadata": {"resourceVersion": version}});
    event("BOOKMARK", &object)
}

pub(super) fn error(code: u16, reason: &str, message: &str) -> String {
    event("ERROR", &status(code, reason, message))
}

fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message})
}
