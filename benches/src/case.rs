//! What is measured, as a name that two runs can be compared by: `http1-100b-32c-max`, `grpc-4c50s-2000rps`, `tcp-1c-max`.
//!
//! `PROTOCOL[-SIZEb][-CONNECTIONSc[STREAMSs]][-churn]-RATE`, where the rate is `max` or `NUMBERrps`, and the size, that of the response,
//! may have a `k` or an `m` before its `b`. TCP with a size makes round trips, without one it moves as many bytes as it can.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Bytes of a body where the name says nothing.
const SIZE: usize = 100;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1, one request at a time on a connection.
    Http1,
    /// HTTP/2 without TLS, known in advance.
    Http2,
    /// Unary calls over HTTP/2.
    Grpc,
    /// Bytes that no proxy looks into.
    Tcp,
}

impl Protocol {
    const ALL: [(&'static str, Self); 4] = [
        ("http1", Self::Http1),
        ("http2", Self::Http2),
        ("grpc", Self::Grpc),
        ("tcp", Self::Tcp),
    ];
}

/// One case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// What is spoken.
    pub protocol: Protocol,
    /// Bytes of a response body, and of a request body where there is one.
    pub size: Option<usize>,
    /// Connections at a time.
    pub connections: usize,
    /// Requests at a time on each connection.
    pub streams: usize,
    /// Each request has a connection of its own.
    pub churn: bool,
    /// Requests per second; as many as possible without.
    pub rps: Option<u32>,
}

impl Case {
    /// Bytes of a body.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.size.unwrap_or(SIZE)
    }

    /// Whether bytes are counted, not requests.
    #[must_use]
    pub fn is_bulk(&self) -> bool {
        self.protocol == Protocol::Tcp && self.size.is_none()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Protocol::ALL.iter().find(|(_, it)| *it == self.protocol);
        let (name, _) = named.expect("every protocol has a name");
        write!(f, "{name}")?;
        match self.size {
            None => {}
            Some(size) if size >= 1_000_000 && size % 1_000_000 == 0 => {
                write!(f, "-{}mb", size / 1_000_000)?;
            }
            Some(size) if size >= 1000 && size % 1000 == 0 => write!(f, "-{}kb", size / 1000)?,
            Some(size) => write!(f, "-{size}b")?,
        }
        write!(f, "-{}c", self.connections)?;
        if self.streams > 1 {
            write!(f, "{}s", self.streams)?;
        }
        if self.churn {
            write!(f, "-churn")?;
        }
        match self.rps {
            None => write!(f, "-max"),
            Some(rps) => write!(f, "-{rps}rps"),
        }
    }
}

/// Why a name is none of a case.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no case; one is http1-100b-32c-max or grpc-4c50s-2000rps: {1}")]
pub struct CaseError(String, &'static str);

impl FromStr for Case {
    type Err = CaseError;

    fn from_str(text: &str) -> Result<Self, CaseError> {
        let wrong = |why| CaseError(text.to_owned(), why);
        let mut parts = text.split('-').peekable();
        let name = parts.next().unwrap_or_default();
        let protocol = Protocol::ALL.iter().find(|(it, _)| *it == name);
        let &(_, protocol) =
            protocol.ok_or_else(|| wrong("it begins with http1, http2, grpc or tcp"))?;
        let size = parts.next_if(|part| part.ends_with('b'));
        let size = size
            .map(|size| bytes(size).ok_or_else(|| wrong("the size is like 100b, 10kb or 1mb")))
            .transpose()?;
        let connections = parts.next_if(|part| part.ends_with(['c', 's']));
        let (connections, streams) = connections
            .map_or(Some((1, 1)), widths)
            .ok_or_else(|| wrong("the connections are like 32c or 4c50s"))?;
        let churn = parts.next_if_eq(&"churn").is_some();
        let rps = match parts.next() {
            Some("max") => None,
            Some(rate) => {
                let rps = rate.strip_suffix("rps").and_then(|rps| rps.parse().ok());
                Some(
                    rps.filter(|rps| *rps > 0)
                        .ok_or_else(|| wrong("the rate is like max or 1000rps"))?,
                )
            }
            None => return Err(wrong("the rate is missing")),
        };
        let case = Self {
            protocol,
            size,
            connections,
            streams,
            churn,
            rps,
        };
        case.check(parts.next().is_none()).map_err(wrong)
    }
}

impl Case {
    fn check(self, at_end: bool) -> Result<Self, &'static str> {
        let multiplexed = matches!(self.protocol, Protocol::Http2 | Protocol::Grpc);
        if !at_end {
            Err("the rate comes last")
        } else if self.streams > 1 && !multiplexed {
            Err("only HTTP/2 and gRPC have streams")
        } else if self.churn && self.protocol != Protocol::Http1 {
            Err("churn is for http1")
        } else if self.is_bulk() && self.rps.is_some() {
            Err("bytes have no rate")
        } else {
            Ok(self)
        }
    }
}

fn bytes(text: &str) -> Option<usize> {
    let number = text.strip_suffix('b')?;
    let (number, unit) = match number.strip_suffix('k') {
        Some(number) => (number, 1000),
        None => match number.strip_suffix('m') {
            Some(number) => (number, 1_000_000),
            None => (number, 1),
        },
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

fn widths(text: &str) -> Option<(usize, usize)> {
    let (connections, streams) = text.split_once('c')?;
    let streams = match streams.strip_suffix('s') {
        Some(streams) => streams.parse().ok()?,
        None if streams.is_empty() => 1,
        None => return None,
    };
    let connections = connections.parse().ok()?;
    (connections > 0 && streams > 0).then_some((connections, streams))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [
            "http1-100b-32c-max",
            "http1-0b-1c-max",
            "http1-1mb-8c-max",
            "http1-10kb-32c-churn-max",
            "http1-100b-16c-1000rps",
            "http2-100b-4c50s-2000rps",
            "grpc-4c50s-max",
            "tcp-1c-max",
            "tcp-100b-1c-max",
        ] {
            assert_eq!(name.parse::<Case>().unwrap().to_string(), name);
        }
        let case: Case = "grpc-4c50s-max".parse().unwrap();
        assert_eq!((case.connections, case.streams, case.bytes()), (4, 50, 100));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for name in [
            "",
            "http3-1c-max",
            "http1-32c",
            "http1-0c-max",
            "http1-4c50s-max",
            "http1-32c-0rps",
            "http1-32c-max-churn",
            "tcp-1c-10rps",
            "grpc-churn-max",
        ] {
            assert!(name.parse::<Case>().is_err(), "{name}");
        }
    }
}
