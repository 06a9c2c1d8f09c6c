//! The Prometheus text format, as far as our processes write it.

use std::collections::BTreeMap;

/// One sample of the Prometheus text format.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: BTreeMap<&'a str, &'a str>,
    pub(crate) value: f64,
}

/// The sample in a line, if there is one.
pub(crate) fn sample(line: &str) -> Option<Sample<'_>> {
    if line.starts_with('#') {
        return None;
    }
    let (name, rest) = line.split_at(line.find(['{', ' '])?);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    Some(Sample {
        name,
        labels,
        value: value.split_whitespace().next()?.parse().ok()?,
    })
}

/// Splits `a="b",c="d"} 1` into its labels and what follows; values stay escaped, as identities hold nothing to escape.
fn labels(mut text: &str) -> Option<(BTreeMap<&str, &str>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (key, rest) = text.split_once("=\"")?;
        let end = closing_quote(rest)?;
        labels.insert(key, &rest[..end]);
        text = &rest[end + 1..];
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_and_odd_lines_are_no_trouble() {
        let sample = sample(r#"a{b="c\"},d",e=""} 1.5 1700000000"#).unwrap();
        assert_eq!(
            (sample.name, sample.labels["b"], sample.labels["e"]),
            ("a", r#"c\"},d"#, "")
        );
        for line in ["", "a", "a{", "a{b=\"c} 1", "a{b=\"c\"} x", "{} "] {
            assert_eq!(super::sample(line), None, "{line}");
        }
    }
}
