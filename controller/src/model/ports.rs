//! Sets of ports, as annotations and flags write them.

use std::fmt;

/// A set of ports: single ones and ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortSet(Vec<(u16, u16)>);

/// An entry that is no port, range of ports or known port name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no port (1-65535), range of ports (low-high) or name of a container port")]
pub struct BadPort(pub String);

impl PortSet {
    /// Reads `25,587,8000-8100`. Entries may also be names that `named` knows.
    ///
    /// Returns what could be read, and the entries that could not.
    pub fn parse_with(text: &str, named: impl Fn(&str) -> Option<u16>) -> (Self, Vec<BadPort>) {
        let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty());
        let mut ranges = Vec::new();
        let mut bad = Vec::new();
        for entry in entries {
            match range(entry).or_else(|| named(entry).map(|port| (port, port))) {
                Some(range) => ranges.push(range),
                None => bad.push(BadPort(entry.to_owned())),
            }
        }
        ranges.sort_unstable();
        (Self(ranges), bad)
    }

    /// Is `port` in the set?
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0
            .iter()
            .any(|&(low, high)| (low..=high).contains(&port))
    }
}

/// Numbers and ranges only, all of them valid.
impl std::str::FromStr for PortSet {
    type Err = BadPort;

    fn from_str(text: &str) -> Result<Self, BadPort> {
        let (ports, bad) = Self::parse_with(text, |_| None);
        bad.into_iter().next().map_or(Ok(ports), Err)
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (low, high)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match low == high {
                true => write!(f, "{comma}{low}")?,
                false => write!(f, "{comma}{low}-{high}")?,
            }
        }
        Ok(())
    }
}

fn range(entry: &str) -> Option<(u16, u16)> {
    let (low, high) = entry.split_once('-').unwrap_or((entry, entry));
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (low, high) = (port(low)?, port(high)?);
    (low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_ranges_and_names() {
        let named = |name: &str| (name == "db").then_some(5432);
        let (ports, bad) = PortSet::parse_with("25, 8000-8002,db,,", named);
        assert!(bad.is_empty());
        assert_eq!(ports.to_string(), "25,5432,8000-8002");
        assert!(ports.contains(8001) && !ports.contains(8003));
    }

    #[test]
    fn bad_entries_are_named_and_the_rest_kept() {
        let (ports, bad) = PortSet::parse_with("0,70000,9-3,x,80", |_| None);
        assert_eq!(ports.to_string(), "80");
        let bad: Vec<_> = bad.into_iter().map(|bad| bad.0).collect();
        assert_eq!(bad, ["0", "70000", "9-3", "x"]);
        assert_eq!("80,x".parse::<PortSet>(), Err(BadPort("x".to_owned())));
    }
}
