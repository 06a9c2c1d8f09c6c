//! Plain data as YAML, in the style of kubectl.

use serde_json::{Map, Value};

/// A whole document.
pub(super) fn document(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => members(map, 0),
        value => format!("{}\n", scalar(value)),
    }
}

/// The members of a map, each on lines of its own; the name first, as people do.
pub(super) fn members(map: &Map<String, Value>, indent: usize) -> String {
    let (names, others): (Vec<_>, Vec<_>) = map.iter().partition(|(name, _)| *name == "name");
    let ordered = names.into_iter().chain(others);
    ordered
        .map(|(name, value)| member(name, value, indent))
        .collect()
}

/// `name: value`, with what is below it.
pub(super) fn member(name: &str, value: &Value, indent: usize) -> String {
    let head = format!("{:indent$}{}:", "", text(name));
    match value {
        Value::Object(map) if !map.is_empty() => format!("{head}\n{}", members(map, indent + 2)),
        Value::Array(list) if !list.is_empty() => {
            let items = list.iter().map(|value| item(value, indent));
            format!("{head}\n{}", items.collect::<String>())
        }
        Value::String(value) if is_block(value) => block(&head, value, indent + 2),
        value => format!("{head} {}\n", scalar(value)),
    }
}

/// Lines that a literal block says as they are: certificates, files.
fn is_block(value: &str) -> bool {
    let printable =
        |c: char| c == '\n' || !c.is_control() && !"\u{feff}\u{2028}\u{2029}".contains(c);
    value.trim_end_matches('\n').contains('\n')
        && !value.ends_with("\n\n")
        && !value.starts_with([' ', '\n'])
        && value.chars().all(printable)
}

/// `head: |`, with the lines below it.
fn block(head: &str, value: &str, indent: usize) -> String {
    let style = if value.ends_with('\n') { "|" } else { "|-" };
    let lines = value.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("{:indent$}{line}\n", ""),
    });
    format!("{head} {style}\n{}", lines.collect::<String>())
}

/// `- value`, with what is below it.
pub(super) fn item(value: &Value, indent: usize) -> String {
    let below = match value {
        Value::Object(map) if !map.is_empty() => members(map, indent + 2),
        Value::Array(list) if !list.is_empty() => {
            list.iter().map(|value| item(value, indent + 2)).collect()
        }
        value => return format!("{:indent$}- {}\n", "", scalar(value)),
    };
    format!("{:indent$}- {}", "", &below[indent + 2..])
}

/// What fits on a line; in flow style, which JSON is a part of.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        value => value.to_string(),
    }
}

/// Without quotes where no reader of YAML can take it for something else.
pub(super) fn text(value: &str) -> String {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let first = |c: char| c.is_ascii_alphabetic() || c == '/' || c == '_';
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let colon = |part: &str| !part.is_empty() && part.chars().all(plain);
    let safe = value.starts_with(first)
        && value.split(':').all(colon)
        && !words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if safe {
        value.to_owned()
    } else {
        Value::from(value).to_string()
    }
}
