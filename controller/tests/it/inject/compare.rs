//! The common form of two pods, and what is left between them.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Where, theirs, ours; in which pods.
#[derive(Default)]
pub(super) struct Differences {
    found: BTreeMap<(String, String, String), BTreeSet<String>>,
    /// Pods that both inject.
    injected: BTreeSet<String>,
}

impl Differences {
    pub(super) fn collect(&mut self, pod: &str, theirs: &Value, ours: &Value) {
        self.injected.insert(pod.to_owned());
        self.walk(pod, "", Some(theirs), Some(ours));
    }

    pub(super) fn decision(&mut self, pod: &str, theirs: &str, ours: &str) {
        self.add(pod, "decision", &json!(theirs), &json!(ours));
    }

    pub(super) fn of(&self, pod: &str) -> bool {
        self.found.values().any(|pods| pods.contains(pod))
    }

    fn walk(&mut self, pod: &str, path: &str, theirs: Option<&Value>, ours: Option<&Value>) {
        match (theirs, ours) {
            (Some(Value::Object(theirs)), Some(Value::Object(ours))) => {
                let names: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
                for name in names {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path} {name}")
                    };
                    self.walk(pod, &path, theirs.get(name), ours.get(name));
                }
            }
            (theirs, ours) if theirs == ours => {}
            (theirs, ours) => {
                let none = Value::Null;
                self.add(pod, path, theirs.unwrap_or(&none), ours.unwrap_or(&none));
            }
        }
    }

    fn add(&mut self, pod: &str, path: &str, theirs: &Value, ours: &Value) {
        let key = (path.to_owned(), shown(theirs), shown(ours));
        self.found.entry(key).or_default().insert(pod.to_owned());
    }

    /// As the table has them, but for the reason.
    pub(super) fn rows(&self) -> Vec<String> {
        let row = |((path, theirs, ours), pods): (&(String, String, String), &BTreeSet<String>)| {
            let pods = match *pods == self.injected {
                true => "all".to_owned(),
                false => pods.iter().cloned().collect::<Vec<_>>().join(", "),
            };
            format!("| `{path}` | {theirs} | {ours} | {pods}")
        };
        self.found.iter().map(row).collect()
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => return "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text.replace('|', "\\|").replace('\n', " ");
    let short: String = text.chars().take(110).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("`{short}{dots}`")
}

/// The common form.
pub(super) fn normal(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let mut containers = Map::new();
    for list in ["initContainers", "containers"] {
        let Some(Value::Array(items)) = pod["spec"].as_object_mut().and_then(|s| s.remove(list))
        else {
            continue;
        };
        let names: Vec<_> = items
            .iter()
            .filter_map(|item| item["name"].as_str())
            .collect();
        pod["spec"][format!("{list} in order")] = json!(names.join(","));
        for item in items {
            let name = item["name"].as_str().unwrap().to_owned();
            containers.insert(name, tidy(item));
        }
    }
    pod["container"] = Value::Object(containers);
    pod["volume"] = by_name(pod["spec"]["volumes"].take());
    tidy(pod)
}

/// Nulls go, and lists of named things become maps.
fn tidy(value: Value) -> Value {
    let Value::Object(map) = value else {
        return value;
    };
    let tidied = map.into_iter().filter(|(_, value)| !value.is_null());
    let tidied = tidied.map(|(name, value)| {
        let value = match name.as_str() {
            "env" | "ports" | "volumeMounts" => by_name(value),
            "args" => flags(&value),
            _ => tidy(value),
        };
        (name, value)
    });
    Value::Object(tidied.collect())
}

fn by_name(list: Value) -> Value {
    let Value::Array(items) = list else {
        return list;
    };
    let named = items.into_iter().enumerate().map(|(i, mut item)| {
        let name = item.as_object_mut().and_then(|item| item.remove("name"));
        let name = name.and_then(|name| name.as_str().map(str::to_owned));
        (name.unwrap_or_else(|| i.to_string()), simple(item))
    });
    Value::Object(named.collect())
}

/// A variable is its value, or the field that it comes from.
fn simple(item: Value) -> Value {
    if let Some(text) = item.get("value").and_then(Value::as_str) {
        let json = serde_json::from_str(text).ok().filter(Value::is_object);
        return json.map_or_else(|| json!(duration(text)), |json| json!(json.to_string()));
    }
    match item.pointer("/valueFrom/fieldRef/fieldPath") {
        Some(path) => json!(format!("field {}", path.as_str().unwrap())),
        None => tidy(item),
    }
}

fn duration(text: &str) -> String {
    let millis = text.strip_suffix("ms").and_then(|n| n.parse::<u64>().ok());
    match millis.filter(|millis| millis % 1000 == 0) {
        Some(millis) => format!("{}s", millis / 1000),
        None => text.to_owned(),
    }
}

fn flags(list: &Value) -> Value {
    let mut flags = Map::new();
    let mut words = list
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, value),
            None if word.starts_with("--") => (word, words.next().unwrap_or_default()),
            None => ("(command)", word),
        };
        flags.insert(name.to_owned(), json!(value));
    }
    Value::Object(flags)
}
