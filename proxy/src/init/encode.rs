//! The rules as one nf_tables transaction.
//!
//! A batch is taken whole or not at all, so it makes the table, deletes it and makes
//! it anew: whatever was in it before, and whether it was there, the result is the
//! same, and no packet meets half a table. What the numbers mean is in
//! linux/netfilter/nf_tables.h; the expressions are those that `nft` itself sends.

mod expression;

use self::expression::Expressions;
use super::{
    netlink::{ACK, APPEND, Attributes, CREATE, message},
    ranges::{Number, Ranges},
    rules::{Chain, Hook, Match, Rule, Ruleset, TABLE},
};

/// Types of message.
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = NF_TABLES;
const DELETE_TABLE: u16 = NF_TABLES | 2;
const NEW_CHAIN: u16 = NF_TABLES | 3;
const NEW_RULE: u16 = NF_TABLES | 6;
const NEW_SET: u16 = NF_TABLES | 9;
const NEW_SET_ELEMENTS: u16 = NF_TABLES | 12;
const NF_TABLES: u16 = 10 << 8;

/// The family of a table for IPv4 and IPv6 (`NFPROTO_INET`), and each of the two.
pub(super) const INET: u8 = 1;
pub(super) const IPV4: u8 = 2;
pub(super) const IPV6: u8 = 10;

/// The name of any of our sets: the kernel puts a number in place of `%d`.
const SET: &str = "__set%d";

/// A transaction.
#[derive(Debug)]
pub(super) struct Batch {
    /// To be sent in one datagram.
    pub(super) bytes: Vec<u8>,
    /// What each message does, by sequence number.
    pub(super) steps: Vec<String>,
    /// Sets so far: each has a number within its transaction.
    sets: u32,
}

/// Puts `ruleset` in force instead of what we had there.
pub(super) fn replace(ruleset: &Ruleset) -> Batch {
    let mut batch = Batch::deleting();
    batch.table("make", NEW_TABLE, CREATE);
    for chain in &ruleset.0 {
        batch.chain(chain);
    }
    for (chain, rule) in ruleset.rules() {
        batch.rule(chain, rule);
    }
    batch.end()
}

/// Removes what we put there, if anything.
pub(super) fn remove() -> Batch {
    Batch::deleting().end()
}

impl Batch {
    /// A batch that deletes the table so far, whether it is there or not.
    fn deleting() -> Self {
        let mut batch = Self {
            bytes: Vec::new(),
            steps: Vec::new(),
            sets: 0,
        };
        batch.mark(BATCH_BEGIN);
        batch.table("find", NEW_TABLE, CREATE);
        batch.table("delete", DELETE_TABLE, 0);
        batch
    }

    fn end(mut self) -> Self {
        self.mark(BATCH_END);
        self
    }

    /// Begin and end name the subsystem, 10, and are not acknowledged.
    fn mark(&mut self, kind: u16) {
        let none = Attributes::default();
        message(&mut self.bytes, (kind, 0, u32::MAX), [0, 0, 0, 10], &none);
    }

    fn push(&mut self, step: String, (kind, flags): (u16, u16), attributes: &Attributes) {
        let sequence = u32::try_from(self.steps.len()).expect("a few rules");
        let head = (kind, flags | ACK, sequence);
        message(&mut self.bytes, head, [INET, 0, 0, 0], attributes);
        self.steps.push(step);
    }

    fn table(&mut self, what: &str, kind: u16, flags: u16) {
        let mut table = Attributes::default();
        table.text(1, TABLE);
        self.push(format!("{what} table {TABLE}"), (kind, flags), &table);
    }

    fn chain(&mut self, chain: &Chain) {
        const DSTNAT: i32 = -100;
        const ACCEPT: u32 = 1;
        let hook = match chain.hook {
            Hook::Prerouting => 0,
            Hook::Output => 3,
        };
        let mut attributes = Attributes::default();
        attributes
            .text(1, TABLE)
            .text(3, chain.name)
            .nested(4, |place| {
                place.number(1, hook).number(2, DSTNAT.cast_unsigned());
            })
            .number(5, ACCEPT)
            .text(7, "nat");
        let step = format!("make nat chain {}", chain.name);
        self.push(step, (NEW_CHAIN, CREATE), &attributes);
    }

    fn rule(&mut self, chain: &Chain, rule: &Rule) {
        let mut steps = Expressions::default();
        match &rule.on {
            Match::Ipv6 => steps.family(IPV6),
            Match::Tcp => steps.tcp(),
            Match::Uid(uid) => steps.uid(*uid),
            Match::Gid(gid) => steps.gid(*gid),
            Match::ToLoopback => steps.leaves_by_loopback(),
            Match::TcpPorts(ports) => {
                steps.tcp();
                steps.destination_port_in(self.set(13, ports));
            }
            Match::FromIpv4(addrs) => {
                steps.family(IPV4);
                steps.source_ipv4_in(self.set(7, addrs));
            }
            Match::FromIpv6(addrs) => {
                steps.family(IPV6);
                steps.source_ipv6_in(self.set(8, addrs));
            }
        }
        steps.verdict(rule.then);
        let mut attributes = Attributes::default();
        attributes.text(1, TABLE).text(2, chain.name);
        attributes.list(4, &steps.0);
        let step = format!("add {:?} to chain {}", rule.then, chain.name);
        self.push(step, (NEW_RULE, CREATE | APPEND), &attributes);
    }

    /// Makes a nameless set of `ranges`, which nft knows as of type `kind`, and
    /// gives its number.
    fn set<T: Number>(&mut self, kind: u32, ranges: &Ranges<T>) -> u32 {
        const ANONYMOUS_CONSTANT_INTERVAL: u32 = 1 | 2 | 4;
        self.sets += 1;
        let number = self.sets;
        let mut set = Attributes::default();
        set.text(1, TABLE)
            .text(2, SET)
            .number(3, ANONYMOUS_CONSTANT_INTERVAL)
            .number(4, kind)
            .number(5, T::SIZE)
            .number(10, number);
        self.push("make a set".to_owned(), (NEW_SET, CREATE), &set);
        self.fill(number, ranges);
        number
    }

    fn fill<T: Number>(&mut self, set: u32, ranges: &Ranges<T>) {
        const INTERVAL_END: u32 = 1;
        let mut elements = Attributes::default();
        elements.text(1, TABLE).text(2, SET).number(4, set);
        elements.nested(3, |list| {
            for (at, end) in ranges.marks() {
                list.nested(1, |element| {
                    if end {
                        element.number(3, INTERVAL_END);
                    }
                    element.nested(1, |key| {
                        key.bytes(1, &at.bytes());
                    });
                });
            }
        });
        let kind = (NEW_SET_ELEMENTS, CREATE);
        self.push("fill a set".to_owned(), kind, &elements);
    }
}

#[cfg(test)]
mod tests;
