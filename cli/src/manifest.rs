//! Kubernetes manifests, changed without being written anew.
//!
//! A manifest belongs to its author: comments, order, quotes and blank lines are
//! part of it, and a diff should show what changed and nothing else. No kept
//! crate edits YAML in place (yaml-edit and its like stop at what Kubernetes
//! files are full of: lists of maps, flow style, several documents). But the parser
//! below serde-saphyr tells where each node is, so an edit is a few bytes put in
//! or taken out there ([`edit`]). The editor knows the common forms and need not
//! know all: the result is parsed again, and must say exactly what was to be
//! said. If it does not (anchors, odd layouts), that document alone is written
//! anew ([`emit`]), which the user is told.

mod edit;
mod emit;
mod tree;

use serde_json::Value;

/// A change of a document, at a JSON pointer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// As JSON patch's `add`: a member, or an item before an index, or at `-`.
    Add(String, Value),
    /// Takes out a member or item, and what it was the last content of.
    Remove(String),
}

/// A document written anew.
pub(crate) fn document(value: &Value) -> String {
    emit::document(value)
}

/// A document after its changes.
#[derive(Debug, PartialEq)]
pub(crate) struct Changed {
    pub(crate) text: String,
    /// Comments and layout are lost.
    pub(crate) rewritten: bool,
}

/// Makes `changes` to the text of one document, which says `value`.
pub(crate) fn change(text: &str, value: &Value, changes: &[Change]) -> Changed {
    let mut expected = value.clone();
    for change in changes {
        apply(&mut expected, change);
    }
    match edited(text, changes).filter(|edited| says(edited, &expected)) {
        Some(text) => Changed {
            text,
            rewritten: false,
        },
        None => Changed {
            // What follows `---` on its line stays apart from it.
            text: format!("\n{}", emit::document(&expected)),
            rewritten: true,
        },
    }
}

fn edited(text: &str, changes: &[Change]) -> Option<String> {
    let mut text = text.to_owned();
    for change in changes {
        text = edit::apply(&text, change)?;
    }
    Some(text)
}

fn says(text: &str, expected: &Value) -> bool {
    mesh_controller::manifests::read::<Value>(text).is_ok_and(|value| value == *expected)
}

/// The same change of plain data.
fn apply(value: &mut Value, change: &Change) {
    match change {
        Change::Add(path, new) => put(value, path, new),
        Change::Remove(path) => remove(value, path),
    }
}

fn put(value: &mut Value, path: &str, new: &Value) {
    let Some((parent, name)) = split(path) else {
        return;
    };
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(name, new.clone());
        }
        Some(Value::Array(list)) => {
            let index = name.parse().unwrap_or(list.len()).min(list.len());
            list.insert(index, new.clone());
        }
        _ => {}
    }
}

fn remove(value: &mut Value, path: &str) {
    let Some((parent, name)) = split(path) else {
        return;
    };
    let emptied = match value.pointer_mut(parent) {
        Some(Value::Object(map)) => map.remove(&name).is_some() && map.is_empty(),
        Some(Value::Array(list)) => match name.parse() {
            Ok(index) if index < list.len() => {
                list.remove(index);
                list.is_empty()
            }
            _ => false,
        },
        _ => false,
    };
    if emptied && !parent.is_empty() {
        remove(value, parent);
    }
}

/// Parent and unescaped name of a JSON pointer.
fn split(path: &str) -> Option<(&str, String)> {
    let (parent, name) = path.rsplit_once('/')?;
    Some((parent, name.replace("~1", "/").replace("~0", "~")))
}

#[cfg(test)]
mod tests;
