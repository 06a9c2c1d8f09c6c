//! Sets of ports.

use super::value::{Value, items};
use std::{ops::RangeInclusive, str::FromStr};

/// Ports and ranges of ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Vec<RangeInclusive<u16>>);

impl PortSet {
    /// Whether `port` is one of them.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ports, one by one.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// The ranges, as written.
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }
}

impl FromIterator<RangeInclusive<u16>> for PortSet {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u16>>>(ranges: I) -> Self {
        Self(ranges.into_iter().collect())
    }
}

impl Value for PortSet {
    const EXPECTED: &'static str = "ports and ranges of ports (1 to 65535) with commas between";
    const EXAMPLE: &'static str = "25,587,9000-9002";

    fn parse(text: &str) -> Option<Self> {
        let range = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let port = |text: &str| u16::from_str(text.trim()).ok().filter(|port| *port != 0);
            let (from, to) = (port(from)?, port(to)?);
            (from <= to).then_some(from..=to)
        };
        items(text).map(range).collect::<Option<_>>().map(Self)
    }

    fn show(&self) -> String {
        let range = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
            (from, to) if from == to => from.to_string(),
            (from, to) => format!("{from}-{to}"),
        };
        self.0.iter().map(range).collect::<Vec<_>>().join(",")
    }
}
