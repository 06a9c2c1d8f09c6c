//! What is redirected, as types: the one source of the bytes for the kernel
//! (`encode`) and of the text for people (`render`).
//!
//! The meaning is that of Linkerd's proxy-init, rule by rule, in one table of both
//! IP families. Each rule has one condition, because a list of exceptions and then
//! a redirection is all that is needed, and it is read from top to bottom.

use super::{
    options::Interception,
    ranges::{self, Ranges},
};
use std::iter;

/// The table; nobody else's has this name.
pub(super) const TABLE: &str = "mesh_proxy";

/// Two chains of rules, in a table of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ruleset(pub(super) [Chain; 2]);

/// What happens to connections at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) name: &'static str,
    pub(super) hook: Hook,
    pub(super) rules: Vec<Rule>,
}

/// Where netfilter calls a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// Packets that come in by an interface.
    Prerouting,
    /// Packets of this network namespace's own processes.
    Output,
}

/// What to do on which condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) on: Match,
    pub(super) then: Verdict,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// Any IPv6 packet.
    Ipv6,
    /// Any TCP packet.
    Tcp,
    /// A TCP packet to one of these ports.
    TcpPorts(Ranges<u16>),
    /// From one of these IPv4 addresses.
    FromIpv4(Ranges<u32>),
    /// From one of these IPv6 addresses.
    FromIpv6(Ranges<u128>),
    /// Sent by a process of this user.
    Uid(u32),
    /// Sent by a process of this group.
    Gid(u32),
    /// Leaving by the interface `lo`.
    ToLoopback,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Leave the connection as it is.
    Return,
    /// Send it to this port of this host instead.
    Redirect(u16),
}

impl Ruleset {
    /// The rules for what `options` ask.
    pub(super) fn new(options: &Interception) -> Self {
        Self([inbound(options), outbound(options)])
    }

    /// Every rule, with its chain.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&Chain, &Rule)> {
        let rules = |chain: &Chain| chain.rules.len();
        self.0
            .iter()
            .flat_map(move |chain| iter::repeat_n(chain, rules(chain)).zip(&chain.rules))
    }
}

fn inbound(options: &Interception) -> Chain {
    let exempt = [
        (!options.ipv6).then_some(Match::Ipv6),
        ports(&options.inbound_ignored),
        set(ranges::ipv4(&options.subnets_ignored), Match::FromIpv4),
        set(ranges::ipv6(&options.subnets_ignored), Match::FromIpv6),
    ];
    let redirected = ports(&options.inbound_redirected).unwrap_or(Match::Tcp);
    Chain {
        name: "inbound",
        hook: Hook::Prerouting,
        rules: rules(exempt, redirected, options.inbound_port),
    }
}

fn outbound(options: &Interception) -> Chain {
    let exempt = [
        (!options.ipv6).then_some(Match::Ipv6),
        Some(Match::Uid(options.proxy_uid)),
        options.proxy_gid.map(Match::Gid),
        Some(Match::ToLoopback),
        ports(&options.outbound_ignored),
    ];
    Chain {
        name: "outbound",
        hook: Hook::Output,
        rules: rules(exempt, Match::Tcp, options.outbound_port),
    }
}

fn rules<const N: usize>(exempt: [Option<Match>; N], redirected: Match, port: u16) -> Vec<Rule> {
    let rule = |on, then| Rule { on, then };
    let exempt = exempt.into_iter().flatten();
    exempt
        .map(|on| rule(on, Verdict::Return))
        .chain([rule(redirected, Verdict::Redirect(port))])
        .collect()
}

fn ports(ports: &Ranges<u16>) -> Option<Match> {
    set(ports.clone(), Match::TcpPorts)
}

/// A condition on `ranges`; none when there are none.
fn set<T: ranges::Number>(ranges: Ranges<T>, on: fn(Ranges<T>) -> Match) -> Option<Match> {
    (!ranges.is_empty()).then(|| on(ranges))
}
