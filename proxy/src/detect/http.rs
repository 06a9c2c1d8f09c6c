//! HTTP by its first line.

use super::{Detected, MAX_PREFIX};
use crate::http::framing::{is_target, is_token};

/// As much of the HTTP/2 preface as needed, as Linkerd: `PRI` is reserved, so
/// nothing else starts like this, and the rest may be in another segment.
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// `PRI ` and no less is HTTP/2's alone.
const H2_PREFIX: usize = 4;
/// The methods of RFC 9110, 9.3, and PATCH (RFC 5789).
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];
const VERSION: &[u8] = b"HTTP/1.";
/// Longest method. The longest registered one has 17 bytes (UPDATEREDIRECTREF).
const MAX_METHOD: usize = 32;

pub(super) fn classify(bytes: &[u8]) -> Option<Detected> {
    if bytes.starts_with(H2_PREFACE) {
        return Some(Detected::H2);
    }
    if H2_PREFACE.starts_with(bytes) {
        return None;
    }
    match request_line(skip_empty_lines(bytes)) {
        Line::Request => Some(Detected::Http1),
        Line::Other => Some(Detected::Opaque),
        // A request line longer than this is HTTP's to refuse, with a 414.
        Line::Target if bytes.len() >= MAX_PREFIX => Some(Detected::Http1),
        Line::Partial if bytes.len() >= MAX_PREFIX => Some(Detected::Opaque),
        Line::Target | Line::Partial => None,
    }
}

/// What the undecided `bytes` of a client that stopped there are, if they are a
/// request that was begun: a method and a space, or a part of a method that HTTP
/// clients use.
pub(super) fn begun(bytes: &[u8]) -> Option<Detected> {
    let line = skip_empty_lines(bytes);
    if line.len() >= H2_PREFIX && H2_PREFACE.starts_with(bytes) {
        return Some(Detected::H2);
    }
    let is_http = match request_line(line) {
        Line::Request | Line::Target => true,
        Line::Partial => {
            let begins = |method: &&str| method.as_bytes().starts_with(line);
            !line.is_empty() && METHODS.iter().any(begins)
        }
        Line::Other => false,
    };
    is_http.then_some(Detected::Http1)
}

enum Line {
    /// A request line, sure enough.
    Request,
    /// May become one; the method is complete.
    Target,
    /// May become one.
    Partial,
    /// Not a request line, whatever follows.
    Other,
}

/// What the first line is. One that only a careless server takes for a request
/// counts as HTTP too, for HTTP to refuse: as opaque bytes it would pass by the
/// routes and the headers that are ours to set.
fn request_line(line: &[u8]) -> Line {
    match well_formed(line) {
        Line::Other if has_method(line) => match line.iter().position(|b| *b == b'\n') {
            Some(end) if has_version(&line[..end]) => Line::Request,
            Some(_) => Line::Other,
            None => Line::Target,
        },
        line => line,
    }
}

fn has_method(line: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let rest = line.strip_prefix(method.as_bytes());
        rest.and_then(<[u8]>::first).is_some_and(is_blank)
    })
}

fn has_version(line: &[u8]) -> bool {
    let mut words = line.rsplit(is_blank);
    words.any(|word| word.starts_with(b"HTTP/"))
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\r')
}

fn well_formed(line: &[u8]) -> Line {
    let Some(method) = line.iter().position(|b| !is_token(*b)) else {
        return if line.len() > MAX_METHOD {
            Line::Other
        } else {
            Line::Partial
        };
    };
    if method == 0 || method > MAX_METHOD || line[method] != b' ' {
        return Line::Other;
    }
    let rest = &line[method + 1..];
    let Some(target) = rest.iter().position(|b| !is_target(*b)) else {
        return Line::Target;
    };
    if target == 0 || rest[target] != b' ' {
        return Line::Other;
    }
    let version = &rest[target + 1..];
    if version.starts_with(VERSION) {
        Line::Request
    } else if VERSION.starts_with(version) {
        Line::Target
    } else {
        Line::Other
    }
}

/// RFC 9112, 2.2: empty lines before a request are to be ignored.
fn skip_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    if bytes == b"\r" { &[] } else { bytes }
}
