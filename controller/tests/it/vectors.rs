//! What Linkerd's controllers answered, asked of ours.
//!
//! Each file of `tests/vectors` holds a request and the answer of Linkerd to
//! `manifests.yaml`. Ours must be equal, or be written down in
//! `tests/expected` under the same name, with its reason in
//! docs/compatibility.md. Two things differ everywhere: the time for protocol
//! detection (3 s, Linkerd 10 s) and the texts of errors, whose codes count.

use crate::{
    json,
    mesh::{Mesh, get_as, port, soon, traffic},
};
use futures::future::join_all;
use linkerd2_proxy_api::{inbound::PortSpec, outbound::TrafficSpec};
use prost::Message;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tonic::{Response, Status, Streaming};

/// Reads a file of the tests.
pub(crate) fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn folder(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    let files = fs::read_dir(path).expect("the vectors are there");
    let name = |path: PathBuf| {
        path.file_name()
            .map(|n| format!("{name}/{}", n.to_string_lossy()))
    };
    let mut names: Vec<_> = files.filter_map(|file| name(file.ok()?.path())).collect();
    names.sort();
    names
}

/// Where our answer is, if it is another than Linkerd's.
pub(crate) fn expected_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/expected")
        .join(name)
}

/// With `UPDATE=1`, writes down a difference, to be looked at and explained.
pub(crate) fn update(name: &str, answer: &Value) {
    if std::env::var_os("UPDATE").is_some() {
        let file = expected_file(name);
        fs::create_dir_all(file.parent().expect("a file is in a folder"))
            .expect("a folder is made");
        fs::write(file, format!("{answer:#}\n")).expect("a file is written");
    }
}

/// One request, and the messages that must come.
struct Vector {
    name: String,
    request: Value,
    expected: Vec<Value>,
}

impl Vector {
    fn load(name: String) -> Self {
        let vector: Value = serde_json::from_str(&read(&format!("vectors/{name}"))).unwrap();
        let mut messages = vector["messages"].clone();
        conform(&mut messages);
        if expected_file(&name).exists() {
            let ours: Value = serde_json::from_str(&read(&format!("expected/{name}"))).unwrap();
            assert_ne!(
                ours, messages,
                "{name} is as Linkerd's: remove it from tests/expected"
            );
            messages = ours;
        }
        Self {
            name,
            request: vector["request"].clone(),
            expected: messages.as_array().expect("a list of messages").clone(),
        }
    }

    fn field(&self, name: &str) -> &str {
        self.request[name].as_str().unwrap_or_default()
    }

    /// Asks, and reads as many messages as are expected. The stream comes back
    /// open, for the caller to see that no more follow.
    async fn ask(&self, mesh: &Mesh) -> (Vec<Value>, Option<Open>) {
        let get = || get_as(self.field("path"), self.field("context_token"));
        match self.field("rpc") {
            "Destination.Get" => {
                let stream = mesh.destination().await.get(get()).await;
                self.messages(stream, "io.linkerd.proxy.destination.Update")
                    .await
            }
            "Destination.GetProfile" => {
                let stream = mesh.destination().await.get_profile(get()).await;
                self.messages(stream, "io.linkerd.proxy.destination.DestinationProfile")
                    .await
            }
            "OutboundPolicies.Watch" => {
                let spec = TrafficSpec {
                    source_workload: self.field("source_workload").to_owned(),
                    ..traffic(self.field("target"))
                };
                let stream = mesh.outbound().await.watch(spec).await;
                self.messages(stream, "io.linkerd.proxy.outbound.OutboundPolicy")
                    .await
            }
            "InboundServerPolicies.WatchPort" => {
                let number = self.request["port"].as_u64().unwrap_or_default();
                let spec: PortSpec = port(self.field("workload"), number as u32);
                let stream = mesh.inbound().await.watch_port(spec).await;
                self.messages(stream, "io.linkerd.proxy.inbound.Server")
                    .await
            }
            other => panic!("{}: unknown rpc {other:?}", self.name),
        }
    }

    async fn messages<T: Message + Default + 'static>(
        &self,
        stream: Result<Response<Streaming<T>>, Status>,
        name: &'static str,
    ) -> (Vec<Value>, Option<Open>) {
        let mut stream = match stream {
            Ok(stream) => stream.into_inner(),
            Err(status) => return (vec![error(&status)], None),
        };
        let mut messages = Vec::new();
        while messages.len() < self.expected.len() {
            match soon(stream.message()).await {
                Ok(Some(message)) => messages.push(json::of(&message, name)),
                Ok(None) => break,
                Err(status) => {
                    messages.push(error(&status));
                    break;
                }
            }
        }
        let rest = Box::pin(async move { soon(stream.message()).await.map(|m| m.is_none()) });
        (messages, Some(rest))
    }
}

/// An open stream: true when it ends without another message.
type Open = std::pin::Pin<Box<dyn Future<Output = Result<bool, Status>>>>;

fn error(status: &Status) -> Value {
    json!({"error": {"code": format!("{:?}", status.code())}})
}

/// What differs everywhere.
pub(crate) fn conform(messages: &mut Value) {
    json::normalize(messages);
    for message in messages.as_array_mut().into_iter().flatten() {
        if let Some(error) = message.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("message");
        }
        if let Some(timeout) = message.pointer_mut("/protocol/detect/timeout") {
            *timeout = json!("3s");
        }
    }
}

/// Asks all of one folder, then stops the controller: what was equal must also
/// have been complete.
async fn check(name: &str) {
    let mesh = Mesh::start(&read("vectors/manifests.yaml")).await;
    let vectors: Vec<_> = folder(name).into_iter().map(Vector::load).collect();
    let answers = join_all(vectors.iter().map(|vector| vector.ask(&mesh))).await;
    mesh.stop().await;
    let mut wrong = Vec::new();
    for (vector, (messages, open)) in vectors.iter().zip(answers) {
        if messages != vector.expected {
            let (expected, messages) = (json!(vector.expected), json!(messages));
            update(&vector.name, &messages);
            wrong.push(format!(
                "{}\n expected {expected}\n received {messages}",
                vector.name
            ));
        } else if let Some(open) = open
            && !open.await.is_ok_and(|ended| ended)
        {
            wrong.push(format!("{}: more came than expected", vector.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn get() {
    check("get").await;
}

#[tokio::test]
async fn profile() {
    check("profile").await;
}

#[tokio::test]
async fn outbound() {
    check("outbound").await;
}

#[tokio::test]
async fn inbound() {
    check("inbound").await;
}

/// docs/compatibility.md has a row for each vector, which says `same` exactly
/// where no answer of ours is written down.
#[test]
fn the_table_is_complete() {
    let folders = ["get", "profile", "outbound", "inbound", "sequence"];
    let files = folders.into_iter().flat_map(folder);
    let mut expected: Vec<_> = files
        .map(|file| (!expected_file(&file).exists(), file))
        .collect();
    let table = read("../../docs/compatibility.md");
    let cells = table
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    // The injector's are looked after in inject.rs.
    let streams = |name: &str| name.ends_with(".json") && !name.starts_with("inject/");
    let rows = cells.filter(|cells| cells.len() == 5 && streams(cells[1]));
    let mut rows: Vec<_> = rows
        .map(|cells| (cells[2] == "same", cells[1].to_owned()))
        .collect();
    expected.sort();
    rows.sort();
    assert_eq!(rows, expected);
}
