//! What rules are in this network namespace already.
//!
//! Two programs that redirect the same connections don't add up: the first wins,
//! and the other's proxy never sees them. Linkerd's proxy-init, with iptables-nft,
//! shows as nf_tables rules like any other; with iptables-legacy it is elsewhere,
//! and only that its nat table is in use can be seen.

use super::{
    encode::{INET, IPV4, IPV6},
    kernel::{Kernel, KernelError, List},
    netlink::{attribute, attributes, text},
    rules::TABLE,
};
use std::{collections::BTreeSet, fmt, fs};

/// A chain with a rule that redirects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Redirecting {
    family: u8,
    table: String,
    chain: String,
}

impl fmt::Display for Redirecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            IPV4 => "ip",
            IPV6 => "ip6",
            _ => "inet",
        };
        write!(f, "table {family} {} chain {}", self.table, self.chain)
    }
}

impl Redirecting {
    /// Whether it is in our table.
    pub(super) fn is_ours(&self) -> bool {
        self.family == INET && self.table == TABLE
    }

    /// Whether it is `chain` of our table.
    pub(super) fn is(&self, chain: &str) -> bool {
        self.is_ours() && self.chain == chain
    }
}

/// The chains here that redirect.
pub(super) fn redirecting(kernel: &Kernel) -> Result<Vec<Redirecting>, KernelError> {
    let chains = kernel.list(List::Chains)?;
    let rules = kernel.list(List::Rules)?;
    Ok(find(&chains, &rules))
}

/// Whether rules of iptables-legacy, which can't be seen, may redirect too.
pub(super) fn has_legacy_nat() -> bool {
    let names = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];
    let has_nat = |text: String| text.lines().any(|name| name == "nat");
    names
        .iter()
        .any(|path| fs::read_to_string(path).is_ok_and(has_nat))
}

fn find(chains: &[Vec<u8>], rules: &[Vec<u8>]) -> Vec<Redirecting> {
    // A table that is not hooked anywhere does nothing.
    let hooked: BTreeSet<_> = chains
        .iter()
        .filter_map(|chain| parse(chain))
        .filter(|(_, attributes)| attribute(attributes, 4).is_some())
        .map(|(family, attributes)| (family, text(attributes, 1)))
        .collect();
    let found: BTreeSet<_> = rules
        .iter()
        .filter_map(|rule| parse(rule))
        .filter(|(family, rule)| hooked.contains(&(*family, text(rule, 1))))
        .filter(|(_, rule)| redirects(rule))
        .map(|(family, rule)| Redirecting {
            family,
            table: text(rule, 1).to_owned(),
            chain: text(rule, 2).to_owned(),
        })
        .collect();
    found.into_iter().collect()
}

/// Family and attributes of an item, if it is about IP.
fn parse(item: &[u8]) -> Option<(u8, &[u8])> {
    let (header, attributes) = item.split_first_chunk::<4>()?;
    [INET, IPV4, IPV6]
        .contains(&header[0])
        .then_some((header[0], attributes))
}

/// Whether a rule sends connections to a port of this host: by nft's expressions, or
/// by a target of iptables.
fn redirects(rule: &[u8]) -> bool {
    let expressions = attributes(attribute(rule, 4).unwrap_or_default());
    let mut names = expressions.map(|(_, one)| (text(one, 1), attribute(one, 2)));
    names.any(|(name, data)| match name {
        "redir" | "tproxy" => true,
        "target" => ["REDIRECT", "TPROXY"].contains(&text(data.unwrap_or_default(), 1)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::netlink::{Attributes, message, messages};

    fn item(family: u8, fill: impl FnOnce(&mut Attributes)) -> Vec<u8> {
        let mut attributes = Attributes::default();
        fill(&mut attributes);
        let mut bytes = Vec::new();
        message(&mut bytes, (0, 0, 0), [family, 0, 0, 0], &attributes);
        messages(&bytes).next().unwrap().body.to_vec()
    }

    fn chain(family: u8, table: &str) -> Vec<u8> {
        item(family, |chain| {
            chain.text(1, table).text(3, "OUTPUT").nested(4, |_| {});
        })
    }

    fn rule(family: u8, table: &str, expression: &str, target: &str) -> Vec<u8> {
        item(family, |rule| {
            rule.text(1, table).text(2, "OUTPUT").nested(4, |list| {
                list.nested(1, |one| {
                    one.text(1, expression).nested(2, |data| {
                        data.text(1, target);
                    });
                });
            });
        })
    }

    #[test]
    fn redirections_are_found_however_they_are_written() {
        let chains = [chain(IPV4, "nat"), chain(IPV6, "nat"), chain(INET, TABLE)];
        let rules = [
            rule(IPV4, "nat", "target", "REDIRECT"),
            rule(IPV6, "nat", "redir", ""),
            rule(INET, TABLE, "redir", ""),
            // Not hooked, not a redirection, not IP.
            rule(IPV4, "idle", "redir", ""),
            rule(IPV4, "nat", "target", "DNAT"),
            rule(IPV4, "nat", "masq", ""),
            rule(7, "bridge", "redir", ""),
        ];
        let found = find(&chains, &rules);
        let shown: Vec<_> = found.iter().map(Redirecting::to_string).collect();
        let expected = [
            "table inet mesh_proxy chain OUTPUT",
            "table ip nat chain OUTPUT",
            "table ip6 nat chain OUTPUT",
        ];
        assert_eq!(shown, expected);
        let ours: Vec<_> = found.iter().map(Redirecting::is_ours).collect();
        assert_eq!(ours, [true, false, false]);
    }
}
