//! Netlink's bytes: messages of attributes, written and read.
//!
//! Written here because no crate fits: rustables is GPL, nftnl needs a C library,
//! netlink-packet-netfilter knows neither redirections nor sets, and nlink brings an
//! asynchronous stack of its own for the dozen attributes used here. Numbers of the
//! headers are in the machine's order (`man 7 netlink`), those of nf_tables in the
//! network's (linux/netfilter/nf_tables.h).

/// Request flags.
pub(super) const REQUEST: u16 = 1;
pub(super) const ACK: u16 = 4;
pub(super) const CREATE: u16 = 0x400;
pub(super) const APPEND: u16 = 0x800;
/// List everything.
pub(super) const DUMP: u16 = 0x300;
/// An answer: the list changed while it was read.
pub(super) const INTERRUPTED: u16 = 0x10;

/// Answers.
pub(super) const ERROR: u16 = 2;
pub(super) const DONE: u16 = 3;

/// Of `struct nlmsghdr` and of `struct nlattr`.
const HEADER: usize = 16;
const ATTRIBUTE: usize = 4;
/// The bits of an attribute's type that are flags.
const NESTED: u16 = 0x8000;
const FLAGS: u16 = 0xc000;

/// Attributes being written.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let len = u16::try_from(ATTRIBUTE + value.len()).expect("a value of less than 64 kB");
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.bytes(kind, &[value.as_bytes(), b"\0"].concat())
    }

    pub(super) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::default();
        fill(&mut inner);
        self.list(kind, &inner)
    }

    pub(super) fn list(&mut self, kind: u16, inner: &Self) -> &mut Self {
        self.bytes(kind | NESTED, &inner.0)
    }
}

/// Adds one message of netfilter to `out`: `header` is family, version and
/// resource of `struct nfgenmsg`.
pub(super) fn message(
    out: &mut Vec<u8>,
    (kind, flags, sequence): (u16, u16, u32),
    header: [u8; 4],
    attributes: &Attributes,
) {
    let len = HEADER + header.len() + attributes.0.len();
    let len = u32::try_from(len).expect("a message of a few attributes of less than 64 kB");
    out.extend(len.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend((flags | REQUEST).to_ne_bytes());
    out.extend(sequence.to_ne_bytes());
    // From whom: the kernel fills it in.
    out.extend([0; 4]);
    out.extend(header);
    out.extend(&attributes.0);
}

/// A message as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

impl Message<'_> {
    /// The error an `ERROR` message tells; 0 for an acknowledgement.
    pub(super) fn errno(&self) -> Option<i32> {
        let code = self.body.first_chunk().copied()?;
        (self.kind == ERROR).then(|| i32::from_ne_bytes(code).saturating_neg())
    }
}

/// The messages of one datagram; what is cut off is left out.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
        let whole = datagram.get(..len)?;
        let (head, body) = whole.split_at_checked(HEADER)?;
        datagram = datagram.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([head[4], head[5]]),
            flags: u16::from_ne_bytes([head[6], head[7]]),
            sequence: u32::from_ne_bytes([head[8], head[9], head[10], head[11]]),
            body,
        })
    })
}

/// The attributes in `bytes`, as type and value.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (len, rest) = bytes.split_first_chunk()?;
        let (kind, _) = rest.split_first_chunk()?;
        let len = usize::from(u16::from_ne_bytes(*len));
        let value = bytes.get(ATTRIBUTE..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes(*kind) & !FLAGS, value))
    })
}

/// The first attribute of type `kind`.
pub(super) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(found, value)| (found == kind).then_some(value))
}

/// As [`attribute`], for text.
pub(super) fn text(bytes: &[u8], kind: u16) -> &str {
    let text = attribute(bytes, kind).unwrap_or_default();
    let end = text.iter().position(|byte| *byte == 0);
    std::str::from_utf8(&text[..end.unwrap_or(text.len())]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut written = Attributes::default();
        written.text(1, "lo").nested(4, |inner| {
            inner.number(2, 0x0102_0304);
        });
        let mut bytes = Vec::new();
        message(&mut bytes, (7, CREATE, 9), [1, 0, 0, 10], &written);
        message(&mut bytes, (8, 0, 10), [0; 4], &Attributes::default());
        let read: Vec<_> = messages(&bytes).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].kind, read[0].flags, read[0].sequence),
            (7, CREATE | REQUEST, 9)
        );
        let (header, body) = read[0].body.split_at(4);
        assert_eq!(header, [1, 0, 0, 10]);
        assert_eq!(text(body, 1), "lo");
        let inner = attribute(body, 4).unwrap();
        assert_eq!(attribute(inner, 2), Some(&[1, 2, 3, 4][..]));
        assert_eq!(attribute(body, 3), None);
    }

    #[test]
    fn padding_is_not_counted() {
        let mut written = Attributes::default();
        written.bytes(3, &[1]);
        let expected = [
            &5_u16.to_ne_bytes()[..],
            &3_u16.to_ne_bytes(),
            &[1, 0, 0, 0],
        ]
        .concat();
        assert_eq!(written.0, expected);
    }

    #[test]
    fn what_is_cut_off_ends_the_list() {
        let mut bytes = Vec::new();
        let mut written = Attributes::default();
        written.text(1, "table");
        message(&mut bytes, (1, 0, 1), [0; 4], &written);
        for len in 0..bytes.len() {
            assert_eq!(messages(&bytes[..len]).count(), 0);
        }
        let attributes_of = |len: usize| attributes(&written.0[..len]).count();
        assert!((0..10).all(|len| attributes_of(len) == 0));
        // Lengths that lie.
        assert_eq!(messages(&[0; 32]).count(), 0);
        assert_eq!(attributes(&[0; 32]).count(), 0);
    }

    #[test]
    fn an_error_is_a_number() {
        let error = |code: i32, kind| {
            Message {
                kind,
                flags: 0,
                sequence: 0,
                body: &code.to_ne_bytes(),
            }
            .errno()
        };
        assert_eq!(error(-1, ERROR), Some(1));
        assert_eq!(error(0, ERROR), Some(0));
        assert_eq!(error(-1, DONE), None);
    }
}
