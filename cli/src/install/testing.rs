//! A cluster with objects in it, for tests.

use crate::cluster::{Cluster, testing};
use serde_json::{Value, json};

/// What an API server with these objects answers; all else is not found.
pub(crate) fn cluster(objects: Vec<Value>) -> Cluster {
    testing::cluster(move |request| answer(&objects, request))
}

fn answer(objects: &[Value], request: &str) -> (u16, Value) {
    let path = request.strip_prefix("GET ").expect("nothing is changed");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query = query
        .replace("%2F", "/")
        .replace("%3D", "=")
        .replace("%2C", ",")
        .replace("%21", "!");
    if let Some(object) = objects.iter().find(|object| paths(object)[0] == path) {
        return (200, object.clone());
    }
    // No object of these tests has a name in the plural.
    if !path.ends_with('s') {
        return (
            404,
            json!({"kind": "Status", "code": 404, "reason": "NotFound", "status": "Failure", "message": "not found"}),
        );
    }
    let listed = objects.iter().filter(|object| {
        let mut lists = paths(object)
            .into_iter()
            .filter_map(|at| at.rsplit_once('/').map(|(list, _)| list == path));
        lists.any(|here| here) && selected(object, &query)
    });
    let items: Vec<_> = listed.collect();
    (
        200,
        json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}),
    )
}

/// Where the API has it, and where a list of all namespaces would.
fn paths(object: &Value) -> [String; 2] {
    let text = |path| object.pointer(path).and_then(Value::as_str);
    let version = text("/apiVersion").expect("an object has a version");
    let root = if version.contains('/') { "apis" } else { "api" };
    let namespace = text("/metadata/namespace").map(|namespace| format!("/namespaces/{namespace}"));
    let kind = text("/kind").expect("an object has a kind").to_lowercase();
    let name = text("/metadata/name").expect("an object has a name");
    let at = |namespace: &str| format!("/{root}/{version}{namespace}/{kind}s/{name}");
    [at(&namespace.unwrap_or_default()), at("")]
}

/// Whether it has the labels that a query asks for, and the name.
fn selected(object: &Value, query: &str) -> bool {
    let part = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name));
    let labels = &object["metadata"]["labels"];
    let mut wanted = part("labelSelector=")
        .unwrap_or_default()
        .split(',')
        .filter(|label| !label.is_empty());
    let named = part("fieldSelector=metadata.name=");
    named.is_none_or(|name| object["metadata"]["name"] == name)
        && wanted.all(
            |label| match (label.strip_prefix('!'), label.split_once('=')) {
                (Some(absent), _) => labels.get(absent).is_none(),
                (None, Some((name, value))) => labels[name] == value,
                (None, None) => labels.get(label).is_some(),
            },
        )
}
