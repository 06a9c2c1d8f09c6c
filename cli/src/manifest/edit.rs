//! One change of the text of a document.
//!
//! Every function gives `None` for a layout that it does not know. A new member
//! goes directly below the key of its map, where its indentation is known and no
//! comment can be torn from what it is about.

use super::{
    Change, emit, split,
    tree::{self, Entry, Found, Kind, Node},
};
use serde_json::Value;
use std::ops::Range;

/// The text after a change.
pub(super) fn apply(text: &str, change: &Change) -> Option<String> {
    let root = tree::parse(text)?;
    let (range, new) = match change {
        Change::Add(path, value) => add(text, &root, path, value)?,
        Change::Remove(path) => (removed(text, &root, path)?, String::new()),
    };
    // A file has one kind of line end.
    let new = if text.contains("\r\n") {
        new.replace('\n', "\r\n")
    } else {
        new
    };
    Some(format!(
        "{}{new}{}",
        &text[..range.start],
        &text[range.end..]
    ))
}

/// What is put where, in place of what.
type Edit = (Range<usize>, String);

fn add(text: &str, root: &Node, path: &str, value: &Value) -> Option<Edit> {
    let (parent, name) = split(path)?;
    let found = root.find(parent)?;
    match &found.node.kind {
        Kind::Mapping { flow, entries } => {
            if let Some(entry) = entries.iter().find(|entry| entry.name == name) {
                return replace(text, entry, &name, value, *flow);
            }
            if *flow {
                let comma = if entries.is_empty() { "" } else { ", " };
                let member = format!("{}: {value}{comma}", Value::from(name));
                return Some(insert(found.node.start + 1, member));
            }
            let (at, indent) = below(text, &found, entries.first().map(|entry| &entry.key))?;
            Some(at.insert(emit::member(&name, value, indent)))
        }
        Kind::Sequence { flow: true, items } => {
            Some(flow_item(text, found.node, items, &name, value))
        }
        Kind::Sequence { items, .. } if name == "-" => {
            let indent = dash(text, items.last()?)?.1;
            let at = End::of_line(text, found.node.end);
            Some(at.insert(emit::item(value, indent)))
        }
        Kind::Sequence { items, .. } if name == "0" => {
            let (_, indent) = dash(text, items.first()?)?;
            let (at, _) = below(text, &found, items.first())?;
            Some(at.insert(emit::item(value, indent)))
        }
        _ => None,
    }
}

fn insert(at: usize, new: String) -> Edit {
    (at..at, new)
}

/// The end of a line, where another can begin.
struct End {
    at: usize,
    /// The file ends without one.
    newline: &'static str,
}

impl End {
    fn of_line(text: &str, from: usize) -> Self {
        // A block of text may end with its line's end.
        if from > 0 && text[..from].ends_with('\n') {
            return Self {
                at: from,
                newline: "",
            };
        }
        match text[from..].find('\n') {
            Some(end) => Self {
                at: from + end + 1,
                newline: "",
            },
            None => Self {
                at: text.len(),
                newline: "\n",
            },
        }
    }

    fn insert(self, new: String) -> Edit {
        insert(self.at, format!("{}{new}", self.newline))
    }
}

/// The line below the key of a block, and the indentation of its members.
fn below(text: &str, found: &Found<'_>, first: Option<&Node>) -> Option<(End, usize)> {
    let (key, first) = (found.key?, first?);
    let end = End::of_line(text, key.end);
    (end.at <= first.start).then_some((end, first.column))
}

/// Another value for a key that is there.
fn replace(text: &str, entry: &Entry, name: &str, value: &Value, flow: bool) -> Option<Edit> {
    let Entry {
        key, value: old, ..
    } = entry;
    if !matches!(old.kind, Kind::Scalar) {
        return None;
    }
    let old_text = text.get(old.start..old.end)?;
    if !old_text.is_empty() && !value.is_object() && !value.is_array() {
        let new = match value {
            Value::String(value) if !flow => emit::text(value),
            value => value.to_string(),
        };
        return Some((old.start..old.end, new));
    }
    if !old_text.is_empty() || flow {
        return None;
    }
    // `name:` alone: the rest of its line, which may be a comment, stays.
    let new = emit::member(name, value, key.column);
    let (_, new) = new.split_once('\n')?;
    Some(End::of_line(text, key.end).insert(new.to_owned()))
}

fn flow_item(text: &str, list: &Node, items: &[Node], name: &str, value: &Value) -> Edit {
    let next = name.parse().ok().and_then(|index: usize| items.get(index));
    match (next, items.last()) {
        (Some(next), _) => insert(next.start, format!("{value}, ")),
        (None, Some(last)) => insert(last.end, format!(", {value}")),
        (None, None) => insert(
            list.start + text[list.start..].find('[').unwrap_or(0) + 1,
            value.to_string(),
        ),
    }
}

/// Where the `-` of an item is, and its indentation.
fn dash(text: &str, item: &Node) -> Option<(usize, usize)> {
    let before = text[..item.start].trim_end_matches([' ', '\t']);
    let dash = before.strip_suffix('-')?;
    let line = dash.rfind('\n').map_or(0, |end| end + 1);
    let blank = dash[line..].bytes().all(|byte| byte == b' ');
    blank.then_some((dash.len(), dash.len() - line))
}

/// What to take out, with a parent that would be empty.
fn removed(text: &str, root: &Node, path: &str) -> Option<Range<usize>> {
    let (parent, name) = split(path)?;
    let found = root.find(parent)?;
    match &found.node.kind {
        Kind::Mapping { entries, .. } if entries.len() == 1 => removed(text, root, parent),
        Kind::Sequence { items, .. } if items.len() == 1 => removed(text, root, parent),
        Kind::Mapping { flow, entries } => {
            let index = entries.iter().position(|entry| entry.name == name)?;
            let places: Vec<_> = entries
                .iter()
                .map(|entry| entry.key.start..entry.value.end.max(entry.key.end))
                .collect();
            if *flow {
                return Some(from_flow(text, &places, index));
            }
            let place = &places[index];
            match line_start(text, place.start) {
                Some(start) => Some(start..End::of_line(text, place.end).at),
                // After the dash of an item: the next key takes its place.
                None => Some(place.start..places.get(index + 1)?.start),
            }
        }
        Kind::Sequence { flow, items } => {
            let index: usize = name.parse().ok()?;
            if *flow {
                let places: Vec<_> = items.iter().map(|item| item.start..item.end).collect();
                return (index < places.len()).then(|| from_flow(text, &places, index));
            }
            let item = items.get(index)?;
            let (dash, _) = dash(text, item)?;
            Some(line_start(text, dash)?..End::of_line(text, item.end).at)
        }
        _ => None,
    }
}

/// With the comma that is then one too many.
fn from_flow(text: &str, places: &[Range<usize>], index: usize) -> Range<usize> {
    let place = &places[index];
    match (places.get(index + 1), index.checked_sub(1)) {
        (Some(next), _) => {
            let between = &text[place.end..next.start];
            let comma = place.end + between.find(',').map_or(0, |at| at + 1);
            let rest = &text[comma..next.start];
            match (line_start(text, place.start), rest.find('\n')) {
                // Lines of its own.
                (Some(start), Some(end)) if rest[..end].trim().is_empty() => start..comma + end + 1,
                _ => place.start..comma + usize::from(rest.starts_with(' ')),
            }
        }
        (None, Some(before)) => places[before].end..place.end,
        (None, None) => place.clone(),
    }
}

/// The start of the line, if only spaces are before.
fn line_start(text: &str, at: usize) -> Option<usize> {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let blank = text[line..at].bytes().all(|byte| byte == b' ');
    blank.then_some(line)
}
