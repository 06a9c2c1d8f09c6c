//! Takes an injection out of a pod again.
//!
//! What goes: our containers and volumes, `mesh.dev/` annotations and labels.
//! What stays: `config.mesh.dev/` annotations, which are the user's, and
//! `mesh.dev/inject: disabled`, which is a decision that `mesh uninject` agrees with.

use super::{INIT, INJECT, PROXY, containers::VOLUMES};
use serde_json::{Map, Value};

/// The prefix of what an injection writes.
const PREFIX: &str = "mesh.dev/";

/// JSON pointers, below a pod or a template of pods, to what an injection has
/// added. Later items of a list come first, so that they can be removed in this order.
#[must_use]
pub fn remove(object: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    for list in ["/spec/initContainers", "/spec/containers"] {
        paths.extend(items(object, list, &[PROXY, INIT]));
    }
    paths.extend(items(object, "/spec/volumes", &VOLUMES));
    for map in ["/metadata/annotations", "/metadata/labels"] {
        let members = object.pointer(map).and_then(Value::as_object);
        let ours = members
            .into_iter()
            .flat_map(Map::iter)
            .filter(|(name, value)| {
                let disabled = *name == INJECT && *value == "disabled";
                name.starts_with(PREFIX) && !disabled
            });
        paths.extend(ours.map(|(name, _)| format!("{map}/{}", name.replace('/', "~1"))));
    }
    paths
}

fn items(object: &Value, list: &str, names: &[&str]) -> Vec<String> {
    let items = object.pointer(list).and_then(Value::as_array);
    let numbered = items.into_iter().flatten().enumerate();
    let ours = numbered.filter(|(_, item)| {
        let name = item.get("name").and_then(Value::as_str);
        name.is_some_and(|name| names.contains(&name))
    });
    let mut paths: Vec<_> = ours.map(|(i, _)| format!("{list}/{i}")).collect();
    paths.reverse();
    paths
}
