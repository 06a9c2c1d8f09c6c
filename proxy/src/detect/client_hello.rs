//! The first message of a TLS client: whether it is one, and whom it is for.
//!
//! Parsed here and not by a TLS library: connections for others are passed on
//! untouched, so only SNI and ALPN matter, the answer must be incremental, and
//! what a client sends before any handshake should meet as little code as
//! possible. Formats: RFC 8446, 4.1.2 and 5.1; RFC 6066, 3; RFC 7301, 3.1.

use super::{Detected, MAX_PREFIX};

/// The content type that starts every TLS connection.
pub(super) const HANDSHAKE: u8 = 22;

const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;
/// RFC 8446, 5.1: the most a plaintext record holds.
const MAX_RECORD: usize = 1 << 14;
const EXTENSION_SNI: u16 = 0;
const EXTENSION_ALPN: u16 = 16;
const SNI_HOST_NAME: u8 = 0;

/// What is known of a TLS connection from its first message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The server's name, in lower case. `None` without one, or when it is no
    /// DNS name.
    pub sni: Option<String>,
    /// The protocols offered, best first.
    pub alpn: Vec<Vec<u8>>,
}

pub(super) fn classify(bytes: &[u8]) -> Option<Detected> {
    let decided = match joined(bytes) {
        Joined::Complete(body) => parse(&body).map_or(Detected::Opaque, Detected::Tls),
        Joined::Other => Detected::Opaque,
        Joined::Partial if bytes.len() >= MAX_PREFIX => Detected::Opaque,
        Joined::Partial => return None,
    };
    Some(decided)
}

/// The handshake message, out of the records it may be spread over.
enum Joined {
    Complete(Vec<u8>),
    Partial,
    Other,
}

fn joined(mut bytes: &[u8]) -> Joined {
    let mut message = Vec::new();
    while !bytes.is_empty() {
        if !starts_record(bytes) {
            return Joined::Other;
        }
        let Some((header, rest)) = bytes.split_at_checked(RECORD_HEADER) else {
            return Joined::Partial;
        };
        let fragment = rest
            .len()
            .min(usize::from(u16::from_be_bytes([header[3], header[4]])));
        message.extend_from_slice(&rest[..fragment]);
        bytes = &rest[fragment..];
        match message_length(&message) {
            Some(Ok(length)) if message.len() >= length => {
                return Joined::Complete(message[MESSAGE_HEADER..length].to_vec());
            }
            Some(Err(())) => return Joined::Other,
            _ => {}
        }
    }
    Joined::Partial
}

/// Whether what is there of a record's header can be of a ClientHello.
/// The version is 3.1 or 3.3 by the book; 3.0 to 3.4 are seen.
fn starts_record(bytes: &[u8]) -> bool {
    let length = match bytes {
        [_, _, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        [_, _, _, high] => usize::from(*high) << 8,
        _ => 1,
    };
    let partial = bytes.len() < RECORD_HEADER;
    bytes[0] == HANDSHAKE
        && bytes.get(1).is_none_or(|major| *major == 3)
        && bytes.get(2).is_none_or(|minor| *minor <= 4)
        && length <= MAX_RECORD
        && (partial || length > 0)
}

/// The length of the message with its header, once known; an error when it is
/// no ClientHello, or one that is longer than we take.
fn message_length(message: &[u8]) -> Option<Result<usize, ()>> {
    if *message.first()? != CLIENT_HELLO {
        return Some(Err(()));
    }
    let length = u32::from_be_bytes([0, *message.get(1)?, *message.get(2)?, *message.get(3)?]);
    let length = usize::try_from(length).ok()? + MESSAGE_HEADER;
    Some(if length > MAX_PREFIX {
        Err(())
    } else {
        Ok(length)
    })
}

/// `None` when the message contradicts itself.
fn parse(message: &[u8]) -> Option<ClientHello> {
    let mut body = Reader(message);
    let legacy_version = body.take(2)?;
    if legacy_version[0] != 3 {
        return None;
    }
    let _random = body.take(32)?;
    let _session_id = body.vector8()?;
    let _cipher_suites = body.vector16()?;
    let _compression = body.vector8()?;
    let mut hello = ClientHello::default();
    if body.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = body.vector16()?;
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let data = extensions.vector16()?;
        match kind {
            EXTENSION_SNI => hello.sni = host_name(data)?,
            EXTENSION_ALPN => hello.alpn = protocols(data)?,
            _ => {}
        }
    }
    body.0.is_empty().then_some(hello)
}

fn host_name(mut data: Reader<'_>) -> Option<Option<String>> {
    let mut names = data.vector16()?;
    while !names.0.is_empty() {
        let kind = names.take(1)?[0];
        let name = names.vector16()?.0;
        if kind == SNI_HOST_NAME {
            return Some(dns_name(name));
        }
    }
    Some(None)
}

fn dns_name(name: &[u8]) -> Option<String> {
    let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-._".contains(b);
    let fits = (1..=253).contains(&name.len());
    let name = std::str::from_utf8(name).ok()?;
    (fits && name.as_bytes().iter().all(valid)).then(|| name.to_ascii_lowercase())
}

fn protocols(mut data: Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut names = data.vector16()?;
    let mut found = Vec::new();
    while !names.0.is_empty() {
        found.push(names.vector8()?.0.to_vec());
    }
    Some(found)
}

/// Reads TLS's length-prefixed vectors; `None` at a length beyond the end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn vector8(&mut self) -> Option<Self> {
        let n = self.take(1)?[0];
        self.take(n.into()).map(Self)
    }

    fn vector16(&mut self) -> Option<Self> {
        let n = self.u16()?;
        self.take(n.into()).map(Self)
    }
}
