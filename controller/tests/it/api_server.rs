//! A small Kubernetes API server: lists and watches of what a test has applied, with
//! versions, bookmarks, a history that can be cut, and outages; reads, writes and
//! patches of single objects; and faults.

mod answers;

use mesh_identity::kubernetes::Access;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Path of the kind's list, namespace, name.
type Key = (String, String, String);

/// A running API server; stopped when dropped.
pub(crate) struct ApiServer {
    state: Arc<State>,
    addr: SocketAddr,
    serving: JoinHandle<()>,
    kubeconfig: TempDir,
}

#[derive(Default)]
struct State {
    objects: Mutex<Objects>,
    /// The newest version.
    version: watch::Sender<u64>,
    /// What goes wrong, by verb and plural.
    faults: Mutex<Vec<(&'static str, &'static str, Fault)>>,
    /// Verb and plural of each request.
    requests: Mutex<Vec<(&'static str, String)>>,
}

/// What an API server may do instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Forbidden,
    /// An answer that is none of its own.
    Garbage,
    /// An answer that ends at once.
    Dropped,
}

#[derive(Default)]
struct Objects {
    present: BTreeMap<Key, Value>,
    /// Version, path of the kind's list, and the event.
    history: VecDeque<(u64, String, Value)>,
    /// Watches from before this version are answered 410.
    oldest: u64,
}

impl ApiServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let kubeconfig = tempfile::tempdir().expect("a directory for the kubeconfig");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{addr}")}}],
            "users": [{"name": "test", "user": {"token": "secret"}}],
        });
        std::fs::write(kubeconfig.path().join("config"), text.to_string()).expect("written");
        let state = Arc::new(State::default());
        Self {
            serving: tokio::spawn(answers::serve(listener, state.clone())),
            state,
            addr,
            kubeconfig,
        }
    }

    pub(crate) fn access(&self) -> Access {
        Access {
            kubeconfig: Some(self.kubeconfig.path().join("config")),
            context: None,
        }
    }

    /// Makes or changes what the manifests say, one object after the other.
    pub(crate) fn apply(&self, manifests: &str) {
        for object in objects(manifests) {
            let key = key(&object);
            let kind = match self.state.objects.lock().present.get(&key) {
                None => "ADDED",
                Some(_) => "MODIFIED",
            };
            self.state.change(key, kind, object);
        }
    }

    pub(crate) fn delete(&self, manifests: &str) {
        for object in objects(manifests) {
            self.state.change(key(&object), "DELETED", object);
        }
    }

    /// An object as it is now: kind, namespace and name.
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = key(&json!({"kind": kind, "metadata": {"namespace": namespace, "name": name}}));
        self.state.objects.lock().present.get(&key).cloned()
    }

    /// All objects of a kind.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        let list = path(&json!({"kind": kind}));
        let objects = self.state.objects.lock();
        let of_kind = objects
            .present
            .iter()
            .filter(|((path, ..), _)| path == list);
        of_kind.map(|(_, object)| object.clone()).collect()
    }

    /// Has a verb on a plural go wrong from now on.
    pub(crate) fn fault(&self, verb: &'static str, plural: &'static str, fault: Fault) {
        self.state.faults.lock().push((verb, plural, fault));
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.state.faults.lock().clear();
    }

    /// How many requests there were with that verb, on that plural.
    pub(crate) fn requests(&self, verb: &str, plural: &str) -> usize {
        let requests = self.state.requests.lock();
        let same = |each: &&(&str, String)| each.0 == verb && each.1 == plural;
        requests.iter().filter(same).count()
    }

    /// Forgets the history, as etcd does when it is compacted.
    pub(crate) fn compact(&self) {
        let newest = self.state.next_version();
        let mut objects = self.state.objects.lock();
        objects.oldest = newest;
        objects.history.clear();
    }

    /// Stops: connections break, new ones are refused.
    pub(crate) async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    /// Is back, at the same address.
    pub(crate) async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.addr)
            .await
            .expect("the port is free");
        self.serving = tokio::spawn(answers::serve(listener, self.state.clone()));
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    fn next_version(&self) -> u64 {
        let mut next = 0;
        self.version.send_modify(|version| {
            *version += 1;
            next = *version;
        });
        next
    }

    fn change(&self, key: Key, kind: &str, mut object: Value) {
        let mut objects = self.objects.lock();
        let version = *self.version.borrow() + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let event = json!({"type": kind, "object": object});
        objects.history.push_back((version, key.0.clone(), event));
        match kind {
            "DELETED" => objects.present.remove(&key),
            _ => objects.present.insert(key, object),
        };
        drop(objects);
        self.next_version();
    }

    fn list(&self, path: &str) -> Value {
        let objects = self.objects.lock();
        let of_kind = objects
            .present
            .iter()
            .filter(|((kind, ..), _)| kind == path);
        let items: Vec<_> = of_kind.map(|(_, object)| object).collect();
        let version = self.version.borrow().to_string();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items})
    }

    /// What a watch has to tell from a version on, and the version after it.
    fn events(&self, path: &str, from: u64) -> (String, u64) {
        let objects = self.objects.lock();
        let newest = *self.version.borrow();
        if from < objects.oldest {
            let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 410,
                "status": "Failure", "reason": "Expired", "message": "too old resource version"});
            return (
                format!("{}\n", json!({"type": "ERROR", "object": status})),
                newest,
            );
        }
        let newer = objects
            .history
            .iter()
            .filter(|(version, kind, _)| *version > from && kind == path);
        let mut text: String = newer.map(|(.., event)| format!("{event}\n")).collect();
        let bookmark = json!({"kind": "X", "apiVersion": "v1", "metadata": {"resourceVersion": newest.to_string()}});
        text.push_str(&format!(
            "{}\n",
            json!({"type": "BOOKMARK", "object": bookmark})
        ));
        (text, newest)
    }
}

/// The objects of manifests, those of kinds that a controller asks for.
fn objects(manifests: &str) -> Vec<Value> {
    let documents = manifests
        .split("\n---\n")
        .filter(|text| !text.trim().is_empty());
    let objects = documents.map(|text| serde_saphyr::from_str::<Value>(text).expect("YAML"));
    objects.filter(|object| !path(object).is_empty()).collect()
}

/// Kinds, and the paths of their lists.
const KINDS: [(&str, &str); 8] = [
    ("Namespace", "/api/v1/namespaces"),
    ("Node", "/api/v1/nodes"),
    ("Pod", "/api/v1/pods"),
    ("Service", "/api/v1/services"),
    ("EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices"),
    ("ConfigMap", "/api/v1/configmaps"),
    ("Event", "/api/v1/events"),
    (
        "MutatingWebhookConfiguration",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    ),
];

fn path(object: &Value) -> &'static str {
    let kind = object["kind"].as_str();
    let found = KINDS.iter().find(|(each, _)| Some(*each) == kind);
    found.map_or("", |(_, path)| path)
}

fn key(object: &Value) -> Key {
    let text = |name: &str| {
        object["metadata"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (path(object).to_owned(), text("namespace"), text("name"))
}
