//! Finds the line of a field in a YAML document.

use super::parse::read;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;
use std::fmt;

/// The line (from 1) of the field at `path`, as `spec.ports[0].port`; of its
/// nearest ancestor that is there, when the field itself is missing.
pub(super) fn line_of(text: &str, path: &str) -> u64 {
    let Ok(root) = read::<Spanned<Node>>(text) else {
        return 1;
    };
    let mut line = line(&root);
    let mut node = &root.value;
    for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        let Some(child) = node.child(step) else {
            break;
        };
        line = self::line(child);
        node = &child.value;
    }
    line
}

fn line(node: &Spanned<Node>) -> u64 {
    node.referenced.line().max(1)
}

/// A document without its values: only where each part is.
enum Node {
    Map(Vec<(String, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Leaf,
}

impl Node {
    fn child(&self, step: &str) -> Option<&Spanned<Self>> {
        match self {
            Self::Map(fields) => fields.iter().find(|(name, _)| name == step).map(|(_, n)| n),
            Self::List(items) => items.get(step.parse::<usize>().ok()?),
            Self::Leaf => None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_fields() {
        let text = "\
spec:
  ports:
  - port: 80
  - name: x
    port: many
  on: ~
";
        let cases = [
            ("spec.ports[1].port", 5),
            ("spec.ports[0]", 3),
            ("spec.ports[7].port", 3),
            ("spec.on", 6),
            ("nothing", 1),
            ("", 1),
        ];
        for (path, line) in cases {
            assert_eq!(line_of(text, path), line, "{path}");
        }
        assert_eq!(line_of("{", "spec"), 1);
    }
}
