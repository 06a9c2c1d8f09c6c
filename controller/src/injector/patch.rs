//! A JSON patch (RFC 6902) that only adds.
//!
//! An injection never changes or removes what the pod has, so of the six
//! operations `add` is enough, and applying it is a few lines; a library would
//! bring the other five and a second pointer type.

use serde::Serialize;
use serde_json::{Map, Value};

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "add")]
pub struct Add {
    /// A JSON pointer: a member's, or an index (`0`, `-`) of a list.
    pub path: String,
    /// What is put there.
    pub value: Value,
}

/// Operations, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Patch(pub Vec<Add>);

/// A patch made for another object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the patch does not fit: there is nothing at {0}")]
pub struct NoSuchPlace(pub String);

/// Members of maps and items of lists are added to what is there; what is not
/// there yet, or null, is made.
pub(super) struct Builder<'a> {
    object: &'a Value,
    patch: Patch,
}

impl<'a> Builder<'a> {
    pub(super) fn new(object: &'a Value) -> Self {
        Self {
            object,
            patch: Patch::default(),
        }
    }

    pub(super) fn finish(self) -> Patch {
        self.patch
    }

    fn add(&mut self, path: String, value: Value) {
        self.patch.0.push(Add { path, value });
    }

    /// Adds members to the map at `path`.
    pub(super) fn members(&mut self, path: &str, members: Map<String, Value>) {
        if members.is_empty() {
            return;
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let missing = |path: &str| self.object.pointer(path).is_none_or(Value::is_null);
        let made = self.patch.0.iter().any(|add| add.path == parent);
        if !missing(path) {
            // Backwards: where order shows, each goes before what is there.
            for (name, value) in members.into_iter().rev() {
                self.add(format!("{path}/{}", escape(&name)), value);
            }
        } else if missing(parent) && !made {
            let map = Map::from_iter([(name.to_owned(), Value::Object(members))]);
            self.add(parent.to_owned(), Value::Object(map));
        } else {
            self.add(path.to_owned(), Value::Object(members));
        }
    }

    /// Puts items before those of the list at `path`.
    pub(super) fn first(&mut self, path: &str, items: Vec<Value>) {
        match self.list(path) {
            true => {
                for item in items.into_iter().rev() {
                    self.add(format!("{path}/0"), item);
                }
            }
            false => self.add(path.to_owned(), Value::Array(items)),
        }
    }

    /// Puts items after those of the list at `path`.
    pub(super) fn last(&mut self, path: &str, items: Vec<Value>) {
        match self.list(path) {
            true => {
                for item in items {
                    self.add(format!("{path}/-"), item);
                }
            }
            false => self.add(path.to_owned(), Value::Array(items)),
        }
    }

    fn list(&self, path: &str) -> bool {
        self.object.pointer(path).is_some_and(Value::is_array)
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl Patch {
    /// Adds members to the map at `path`, or replaces those of the same names;
    /// the map, and the one that it is in, are made if need be.
    #[must_use]
    pub fn members(object: &Value, path: &str, members: Map<String, Value>) -> Self {
        let mut builder = Builder::new(object);
        builder.members(path, members);
        builder.finish()
    }

    /// Does what the operations say.
    ///
    /// # Errors
    /// When the patch was made for an object of another shape.
    pub fn apply(&self, object: &mut Value) -> Result<(), NoSuchPlace> {
        self.0.iter().try_for_each(|add| {
            put(object, &add.path, &add.value).ok_or_else(|| NoSuchPlace(add.path.clone()))
        })
    }

    /// The same, below `path` of a greater object.
    #[must_use]
    pub fn below(mut self, path: &str) -> Self {
        for add in &mut self.0 {
            add.path.insert_str(0, path);
        }
        self
    }
}

fn put(object: &mut Value, path: &str, value: &Value) -> Option<()> {
    let (parent, name) = path.rsplit_once('/')?;
    match object.pointer_mut(parent)? {
        Value::Object(map) => {
            let name = name.replace("~1", "/").replace("~0", "~");
            map.insert(name, value.clone());
        }
        Value::Array(list) => {
            let index = match name {
                "-" => list.len(),
                index => index.parse().ok().filter(|index| *index <= list.len())?,
            };
            list.insert(index, value.clone());
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(object: Value, build: impl Fn(&mut Builder<'_>)) -> Value {
        let mut builder = Builder::new(&object);
        build(&mut builder);
        let patch = builder.finish();
        let mut patched = object.clone();
        patch.apply(&mut patched).unwrap();
        patched
    }

    #[test]
    fn members_are_added_and_maps_made() {
        let members = json!({"mesh.dev/inject": "enabled", "a~b": "c"});
        let members = members.as_object().unwrap();
        for object in [
            json!({}),
            json!({"metadata": null}),
            json!({"metadata": {}}),
            json!({"metadata": {"annotations": null}}),
            json!({"metadata": {"annotations": {}}}),
        ] {
            let result = patched(object, |b| {
                b.members("/metadata/annotations", members.clone())
            });
            assert_eq!(result, json!({"metadata": {"annotations": members}}));
        }
    }

    #[test]
    fn items_keep_their_order() {
        let both = |b: &mut Builder<'_>| {
            b.first("/list", vec![json!(1), json!(2)]);
            b.last("/other", vec![json!(1), json!(2)]);
        };
        let result = patched(json!({"list": [3], "other": [0]}), both);
        assert_eq!(result, json!({"list": [1, 2, 3], "other": [0, 1, 2]}));
        assert_eq!(
            patched(json!({}), both),
            json!({"list": [1, 2], "other": [1, 2]})
        );
    }

    #[test]
    fn a_patch_is_written_as_the_rfc_says_and_refuses_another_object() {
        let patch = Patch(vec![Add {
            path: "/a/b".to_owned(),
            value: json!(1),
        }]);
        assert_eq!(
            serde_json::to_value(&patch).unwrap(),
            json!([{"op": "add", "path": "/a/b", "value": 1}])
        );
        assert_eq!(
            patch.apply(&mut json!({"a": "text"})),
            Err(NoSuchPlace("/a/b".to_owned()))
        );
    }
}
