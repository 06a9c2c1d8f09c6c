//! Where everything of a YAML document is.

use super::split;
use granit_parser::{Event, Parser, Span, StructureStyle};

/// A node and its place, as offsets in bytes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: usize,
    /// After its last character that is not layout.
    pub(super) end: usize,
    /// Characters before it on its line.
    pub(super) column: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar,
    /// What we can't look into.
    Alias,
    Sequence {
        flow: bool,
        items: Vec<Node>,
    },
    Mapping {
        flow: bool,
        entries: Vec<Entry>,
    },
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) key: Node,
    pub(super) value: Node,
}

/// The root of the first document; `None` when there is none or it can't be
/// understood.
pub(super) fn parse(text: &str) -> Option<Node> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::Comment(..) => {}
            Event::DocumentEnd | Event::StreamEnd => break,
            event => events.push((event, span)),
        }
    }
    let mut events = events.into_iter();
    node(text, events.next()?, &mut events).map(|(node, _)| node)
}

/// The node that starts with an event; for a scalar, with its text.
fn node<'a>(
    source: &str,
    (event, span): (Event<'a>, Span),
    rest: &mut impl Iterator<Item = (Event<'a>, Span)>,
) -> Option<(Node, Option<String>)> {
    let range = span.byte_range()?;
    let mut text = None;
    let (kind, end) = match event {
        Event::Scalar(value, ..) => {
            text = Some(value.into_owned());
            // A block of text is said to reach to what comes next.
            let written = source.get(range.clone())?.trim_end();
            (Kind::Scalar, range.start + written.len())
        }
        Event::Alias(_) => (Kind::Alias, range.end),
        Event::SequenceStart(style, ..) => {
            sequence(source, style == StructureStyle::Flow, range.end, rest)?
        }
        Event::MappingStart(style, ..) => {
            mapping(source, style == StructureStyle::Flow, range.end, rest)?
        }
        _ => return None,
    };
    let node = Node {
        kind,
        start: range.start,
        end,
        column: span.start.col(),
    };
    Some((node, text))
}

fn sequence<'a>(
    source: &str,
    flow: bool,
    start: usize,
    rest: &mut impl Iterator<Item = (Event<'a>, Span)>,
) -> Option<(Kind, usize)> {
    let mut items: Vec<Node> = Vec::new();
    loop {
        match rest.next()? {
            (Event::SequenceEnd, span) => {
                let last = items.last().map_or(start, |item| item.end);
                let end = if flow { span.byte_range()?.end } else { last };
                return Some((Kind::Sequence { flow, items }, end));
            }
            event => items.push(node(source, event, rest)?.0),
        }
    }
}

fn mapping<'a>(
    source: &str,
    flow: bool,
    start: usize,
    rest: &mut impl Iterator<Item = (Event<'a>, Span)>,
) -> Option<(Kind, usize)> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        match rest.next()? {
            (Event::MappingEnd, span) => {
                let last = entries
                    .last()
                    .map_or(start, |entry| entry.value.end.max(entry.key.end));
                let end = if flow { span.byte_range()?.end } else { last };
                return Some((Kind::Mapping { flow, entries }, end));
            }
            event => {
                let (key, name) = node(source, event, rest)?;
                let event = rest.next()?;
                entries.push(Entry {
                    name: name?,
                    key,
                    value: node(source, event, rest)?.0,
                });
            }
        }
    }
}

/// A node, and the key before it if it is a member.
pub(super) struct Found<'a> {
    pub(super) node: &'a Node,
    pub(super) key: Option<&'a Node>,
}

impl Node {
    /// The node at a JSON pointer.
    pub(super) fn find(&self, path: &str) -> Option<Found<'_>> {
        let Some((parent, name)) = split(path) else {
            return Some(Found {
                node: self,
                key: None,
            });
        };
        match &self.find(parent)?.node.kind {
            Kind::Mapping { entries, .. } => {
                let entry = entries.iter().find(|entry| entry.name == name)?;
                Some(Found {
                    node: &entry.value,
                    key: Some(&entry.key),
                })
            }
            Kind::Sequence { items, .. } => {
                let node = items.get(name.parse::<usize>().ok()?)?;
                Some(Found { node, key: None })
            }
            _ => None,
        }
    }
}
