//! What a proxy tells its peer when the connection itself can't.
//!
//! Opaque traffic between two meshed workloads goes to the peer proxy's own
//! port, so the port the client meant travels in a header ahead of the bytes:
//! `transport.l5d.io/v1\r\n\r\n`, a u32 big-endian length, and a protobuf
//! message (linkerd2-proxy, `transport-header`). It is only sent after TLS has
//! agreed on the ALPN of the same name, so a mismatch is a broken peer and the
//! connection is given up.
//!
//! The message is read with two exact reads: not one byte of what follows is
//! taken, so nothing has to be handed on or replayed. A TLS session has the
//! bytes in memory anyway.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The protocol name both proxies agree on in the TLS handshake.
pub const ALPN: &[u8] = ALPN_NAME.as_bytes();
/// The same, for people.
pub const ALPN_NAME: &str = "transport.l5d.io/v1";
/// What every header starts with.
pub const PREFACE: &[u8] = b"transport.l5d.io/v1\r\n\r\n";
/// Longest message taken, bytes. A port, a DNS name of 253 bytes and a
/// session protocol need less than 300.
pub const MAX_MESSAGE: usize = 1024;

const LENGTH: usize = 4;

/// Where the client meant to go, and what it will speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportHeader {
    /// The port the connection is for; never 0.
    pub port: u16,
    /// The name the connection is for, when the peer is a gateway.
    pub name: Option<String>,
    /// The protocol of the bytes that follow; opaque when `None`.
    pub session: Option<SessionProtocol>,
}

/// A protocol that needs no detection, since the sender knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionProtocol {
    /// HTTP/1.x.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// A header that can't be taken. The connection can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Nothing, or only a part, came in time.
    #[error("no transport header within {0:?}: the peer agreed to send one")]
    TimedOut(Duration),
    /// The first bytes are something else.
    #[error("not a transport header: the peer agreed on transport.l5d.io/v1 and sent other bytes")]
    Preface,
    /// The peer closed first.
    #[error("the peer closed within the transport header")]
    Truncated,
    /// The length is out of bounds.
    #[error("transport header of {0} bytes: at most {MAX_MESSAGE} are taken")]
    TooLong(usize),
    /// The message is no protobuf.
    #[error("garbled transport header: {0}")]
    Decode(#[from] prost::DecodeError),
    /// The port is none.
    #[error("transport header with port {0}: ports are 1 to 65535")]
    Port(i32),
    /// The connection failed.
    #[error("cannot read the transport header: {0}")]
    Io(io::Error),
}

impl TransportHeader {
    /// The header as sent, preface and length included.
    pub fn encode(&self) -> Bytes {
        let message = wire::Header {
            port: self.port.into(),
            name: self.name.clone().unwrap_or_default(),
            session_protocol: self.session.map(wire::SessionProtocol::from),
        };
        let len = message.encoded_len();
        let mut buf = BytesMut::with_capacity(PREFACE.len() + LENGTH + len);
        buf.put_slice(PREFACE);
        buf.put_u32(u32::try_from(len).expect("a port and a name are far below 4 GiB"));
        message.encode(&mut buf).expect("BytesMut grows");
        buf.freeze()
    }

    /// Reads a header from `io` within `timeout`, and nothing beyond it.
    ///
    /// # Errors
    /// See [`HeaderError`]; some bytes of `io` are then lost.
    pub async fn read<I>(mut io: I, timeout: Duration) -> Result<Self, HeaderError>
    where
        I: AsyncRead + Unpin,
    {
        let read = read_message(&mut io);
        let message = tokio::time::timeout(timeout, read).await;
        message
            .map_err(|_| HeaderError::TimedOut(timeout))??
            .try_into()
    }
}

async fn read_message<I: AsyncRead + Unpin>(io: &mut I) -> Result<wire::Header, HeaderError> {
    let mut start = [0; PREFACE.len() + LENGTH];
    io.read_exact(&mut start).await?;
    let (preface, length) = start.split_at(PREFACE.len());
    if preface != PREFACE {
        return Err(HeaderError::Preface);
    }
    let length = length.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    if length > MAX_MESSAGE {
        return Err(HeaderError::TooLong(length));
    }
    // On the heap, to keep the task of every connection small.
    let mut message = vec![0; length];
    io.read_exact(&mut message).await?;
    Ok(wire::Header::decode(&message[..])?)
}

impl TryFrom<wire::Header> for TransportHeader {
    type Error = HeaderError;

    fn try_from(message: wire::Header) -> Result<Self, HeaderError> {
        let port = u16::try_from(message.port).ok().filter(|port| *port != 0);
        let session = message.session_protocol.and_then(|session| session.kind);
        Ok(Self {
            port: port.ok_or(HeaderError::Port(message.port))?,
            name: Some(message.name).filter(|name| !name.is_empty()),
            session: session.map(|kind| match kind {
                wire::Kind::Http1(()) => SessionProtocol::Http1,
                wire::Kind::Http2(()) => SessionProtocol::Http2,
            }),
        })
    }
}

impl From<io::Error> for HeaderError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(error),
        }
    }
}

/// The message, as protobuf sees it.
mod wire {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Header {
        #[prost(int32, tag = "1")]
        pub(super) port: i32,
        #[prost(string, tag = "2")]
        pub(super) name: String,
        #[prost(message, optional, tag = "3")]
        pub(super) session_protocol: Option<SessionProtocol>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct SessionProtocol {
        #[prost(oneof = "Kind", tags = "1, 2")]
        pub(super) kind: Option<Kind>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(super) enum Kind {
        #[prost(message, tag = "1")]
        Http1(()),
        #[prost(message, tag = "2")]
        Http2(()),
    }

    impl From<super::SessionProtocol> for SessionProtocol {
        fn from(session: super::SessionProtocol) -> Self {
            let kind = match session {
                super::SessionProtocol::Http1 => Kind::Http1(()),
                super::SessionProtocol::Http2 => Kind::Http2(()),
            };
            Self { kind: Some(kind) }
        }
    }
}

#[cfg(test)]
mod tests;
