//! The steps of a rule: each loads a value into a register, compares it, or acts.

use super::{
    super::{netlink::Attributes, rules::Verdict},
    SET,
};

/// `NFTA_LIST_ELEM`, `NFTA_DATA_VALUE`, `NFTA_DATA_VERDICT`.
const ITEM: u16 = 1;
const VALUE: u16 = 1;
const VERDICT: u16 = 2;

/// Where a step leaves a value for the next one (`NFT_REG_1`), and where the verdict
/// goes.
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;
const RETURN: i32 = -5;

/// What `meta` loads.
const OUT_INTERFACE: u32 = 7;
const UID: u32 = 10;
const GID: u32 = 11;
const FAMILY: u32 = 15;
const L4_PROTOCOL: u32 = 16;

/// Where `payload` loads from.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// What a rule does, step by step: if one does not hold, the rest is not done.
#[derive(Debug, Default)]
pub(super) struct Expressions(pub(super) Attributes);

impl Expressions {
    /// The packet is of this IP family.
    pub(super) fn family(&mut self, family: u8) {
        self.meta_is(FAMILY, &[family]);
    }

    /// It is of TCP.
    pub(super) fn tcp(&mut self) {
        const TCP: u8 = 6;
        self.meta_is(L4_PROTOCOL, &[TCP]);
    }

    /// Its sender is of this user.
    pub(super) fn uid(&mut self, uid: u32) {
        self.meta_is(UID, &uid.to_ne_bytes());
    }

    /// Its sender is of this group.
    pub(super) fn gid(&mut self, gid: u32) {
        self.meta_is(GID, &gid.to_ne_bytes());
    }

    /// It leaves by the interface `lo`: names have 16 bytes.
    pub(super) fn leaves_by_loopback(&mut self) {
        self.meta_is(OUT_INTERFACE, b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    }

    /// Its destination port is in this set.
    pub(super) fn destination_port_in(&mut self, set: u32) {
        self.payload_in((TRANSPORT_HEADER, 2, 2), set);
    }

    /// Its source address, IPv4, is in this set.
    pub(super) fn source_ipv4_in(&mut self, set: u32) {
        self.payload_in((NETWORK_HEADER, 12, 4), set);
    }

    /// Its source address, IPv6, is in this set.
    pub(super) fn source_ipv6_in(&mut self, set: u32) {
        self.payload_in((NETWORK_HEADER, 8, 16), set);
    }

    /// Does this, and no later rule.
    pub(super) fn verdict(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Return => self.push("immediate", |immediate| {
                immediate.number(1, VERDICT_REGISTER).nested(2, |data| {
                    data.nested(VERDICT, |verdict| {
                        verdict.number(1, RETURN.cast_unsigned());
                    });
                });
            }),
            Verdict::Redirect(port) => self.redirect(port),
        }
    }

    fn redirect(&mut self, port: u16) {
        const PORT_GIVEN: u32 = 2;
        self.push("immediate", |immediate| {
            immediate.number(1, REGISTER).nested(2, |data| {
                data.bytes(VALUE, &port.to_be_bytes());
            });
        });
        self.push("redir", |redir| {
            redir.number(1, REGISTER).number(3, PORT_GIVEN);
        });
    }

    fn meta_is(&mut self, key: u32, value: &[u8]) {
        const EQUAL: u32 = 0;
        self.push("meta", |meta| {
            meta.number(2, key).number(1, REGISTER);
        });
        self.push("cmp", |cmp| {
            cmp.number(1, REGISTER).number(2, EQUAL);
            cmp.nested(3, |data| {
                data.bytes(VALUE, value);
            });
        });
    }

    /// The bytes at `offset` of a header, so many, are in `set`.
    fn payload_in(&mut self, (header, offset, len): (u32, u32, u32), set: u32) {
        self.push("payload", |payload| {
            payload.number(1, REGISTER).number(2, header);
            payload.number(3, offset).number(4, len);
        });
        self.push("lookup", |lookup| {
            lookup.text(1, SET).number(4, set).number(2, REGISTER);
        });
    }

    fn push(&mut self, name: &str, data: impl FnOnce(&mut Attributes)) {
        self.0.nested(ITEM, |expression| {
            expression.text(1, name).nested(2, data);
        });
    }
}
