//! A parser of the Prometheus text format, strict where scrapers are.

use std::collections::{BTreeMap, BTreeSet};

/// What a scraper would read.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    /// Type and help by family.
    pub(super) families: BTreeMap<String, (String, String)>,
    /// Values by sample name and labels.
    pub(super) samples: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

impl Exposition {
    /// The family that a sample belongs to.
    pub(super) fn family<'a>(&self, sample: &'a str) -> &'a str {
        let parts = ["_bucket", "_sum", "_count"];
        let stem = parts.iter().find_map(|suffix| {
            let stem = sample.strip_suffix(suffix)?;
            (self.families.get(stem)?.0 == "histogram").then_some(stem)
        });
        stem.unwrap_or(sample)
    }

    /// Sets of label names that a family's samples have, without `le`.
    pub(super) fn label_names(&self, family: &str) -> BTreeSet<String> {
        let of_family = self
            .samples
            .keys()
            .filter(|(name, _)| self.family(name) == family);
        let names = |labels: &BTreeMap<String, String>| {
            let names = labels
                .keys()
                .map(String::as_str)
                .filter(|name| *name != "le");
            names.collect::<Vec<_>>().join(" ")
        };
        of_family.map(|(_, labels)| names(labels)).collect()
    }
}

pub(super) fn parse(text: &str) -> Result<Exposition, String> {
    let mut read = Exposition::default();
    let mut current = String::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').ok_or(line)?;
            let new = (String::new(), help.to_owned());
            if read.families.insert(name.to_owned(), new).is_some() {
                return Err(format!("{name} twice"));
            }
            current = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').ok_or(line)?;
            if name != current {
                return Err(format!("type of {name} under {current}"));
            }
            read.families.get_mut(name).ok_or(line)?.0 = kind.to_owned();
        } else {
            let (name, labels, value) = sample(line).ok_or(line)?;
            if read.family(&name) != current {
                return Err(format!("{name} under {current}"));
            }
            if read.samples.insert((name, labels), value).is_some() {
                return Err(format!("twice: {line}"));
            }
        }
    }
    Ok(read)
}

fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            let first = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            (first && labels.insert(label.to_owned(), value).is_none()).then_some(())?;
            rest = after;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.strip_prefix(' ')?.parse().ok()?;
    Some((name.to_owned(), labels, value))
}

/// Reads up to the closing quote and undoes escapes.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}
