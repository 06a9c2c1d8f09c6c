//! HTTP: from requests to the state, and back.

use super::{Fault, Key, State, key};
use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    // Connections end with the server.
    let mut connections = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(answer(&state, request).await) }
            });
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(tcp), service)
                .await;
        });
    }
}

async fn answer(state: &Arc<State>, request: Request<Incoming>) -> Answer {
    assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer secret");
    let (parts, body) = request.into_parts();
    let key = place(parts.uri.path());
    let verb = match parts.method {
        Method::PATCH => "patch",
        Method::POST => "create",
        _ if parameter(&parts.uri, "watch").is_some() => "watch",
        _ if key.2.is_empty() => "list",
        _ => "get",
    };
    let plural = key.0.rsplit('/').next().unwrap_or_default();
    state.requests.lock().push((verb, plural.to_owned()));
    if let Some(fault) = state.fault(verb, plural) {
        return faulty(fault, verb, plural);
    }
    match verb {
        "watch" => watch(state, &parts.uri, key.0),
        "list" => full(StatusCode::OK, &state.list(&key.0)),
        "get" => match state.objects.lock().present.get(&key) {
            Some(object) => full(StatusCode::OK, object),
            None => status(StatusCode::NOT_FOUND, "not found"),
        },
        verb => {
            let body = body.collect().await.expect("a body").to_bytes();
            let body = serde_json::from_slice(&body).expect("JSON");
            let apply = &parts.headers[header::CONTENT_TYPE] == "application/apply-patch+yaml";
            match verb {
                "create" => state.create(key, body),
                _ => state.patch(key, &body, apply),
            }
        }
    }
}

fn watch(state: &Arc<State>, uri: &Uri, path: String) -> Answer {
    let from = parameter(uri, "resourceVersion").and_then(|text| text.parse().ok());
    let (state, versions) = (state.clone(), state.version.subscribe());
    let frames = stream::unfold(
        (from.unwrap_or(0), versions),
        move |(from, mut versions)| {
            let (state, path) = (state.clone(), path.clone());
            async move {
                versions.wait_for(|version| *version > from).await.ok()?;
                let (text, next) = state.events(&path, from);
                Some((Ok(Frame::data(Bytes::from(text))), (next, versions)))
            }
        },
    );
    Response::new(StreamBody::new(frames).boxed_unsync())
}

impl State {
    fn fault(&self, verb: &str, plural: &str) -> Option<Fault> {
        let faults = self.faults.lock();
        let found = faults
            .iter()
            .find(|each| each.0 == verb && each.1 == plural);
        found.map(|(.., fault)| *fault)
    }

    fn create(&self, (path, namespace, _): Key, object: Value) -> Answer {
        let name = key(&object).2;
        let key = (path, namespace, name);
        if self.objects.lock().present.contains_key(&key) {
            return status(StatusCode::CONFLICT, "it exists already");
        }
        self.change(key, "ADDED", object.clone());
        full(StatusCode::CREATED, &object)
    }

    fn patch(&self, key: Key, patch: &Value, apply: bool) -> Answer {
        let present = self.objects.lock().present.get(&key).cloned();
        let (kind, mut object) = match present {
            Some(object) => ("MODIFIED", object),
            None if apply => ("ADDED", json!({"metadata": {"namespace": key.1}})),
            None => return status(StatusCode::NOT_FOUND, "not found"),
        };
        let read = patch.pointer("/metadata/resourceVersion");
        if read.is_some() && read != object.pointer("/metadata/resourceVersion") {
            return status(StatusCode::CONFLICT, "the object has been modified");
        }
        let before = object.clone();
        merge(&mut object, patch);
        if object != before {
            self.change(key, kind, object.clone());
        }
        full(StatusCode::OK, &object)
    }
}

/// A strategic merge: elements of lists are told apart by their names.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(patch)) => {
            for value in patch {
                match into.iter_mut().find(|each| each["name"] == value["name"]) {
                    Some(found) => merge(found, value),
                    None => into.push(value.clone()),
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

/// Path of the kind's list, namespace and name of what a path is for.
fn place(path: &str) -> Key {
    let mut parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let rest = parts.split_off(if parts[0] == "api" { 2 } else { 3 });
    let list = |plural: &str| format!("/{}/{plural}", parts.join("/"));
    let (plural, namespace, name) = match rest[..] {
        ["namespaces", namespace, plural, name] => (plural, namespace, name),
        ["namespaces", namespace, plural] => (plural, namespace, ""),
        [plural, name] => (plural, "", name),
        _ => (rest[0], "", ""),
    };
    (list(plural), namespace.to_owned(), name.to_owned())
}

fn faulty(fault: Fault, verb: &str, plural: &str) -> Answer {
    match fault {
        Fault::Forbidden => {
            let why = format!("{plural} is forbidden: User \"test\" cannot {verb} resource");
            status(StatusCode::FORBIDDEN, &why)
        }
        Fault::Garbage => {
            Response::new(Full::new(Bytes::from_static(b"<html>login</html>")).boxed_unsync())
        }
        Fault::Dropped => Response::new(Empty::new().boxed_unsync()),
    }
}

fn status(code: StatusCode, message: &str) -> Answer {
    let reason = code.canonical_reason().unwrap_or_default().replace(" ", "");
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code.as_u16(), "reason": reason, "message": message});
    full(code, &status)
}

fn full(code: StatusCode, body: &Value) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())).boxed_unsync());
    *response.status_mut() = code;
    response
}

fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let mut parameters = uri
        .query()?
        .split('&')
        .filter_map(|each| each.split_once('='));
    parameters
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
