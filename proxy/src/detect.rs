//! Finds a connection's protocol from its first bytes.
//!
//! Reading is the only way to know, and waiting is its price: a protocol whose
//! server speaks first sends nothing until the timeout. So the decision is
//! made at the first byte that allows it. Linkerd waits for 14 bytes and
//! parses them as HTTP; here a Redis, PostgreSQL or Kafka client is opaque
//! after its first one to ten bytes, and only a beginning that may still become
//! HTTP or TLS waits for more. What was read stays in front of the stream.
//!
//! A wrong answer has a cost both ways (HTTP taken for opaque loses routing
//! and metrics, opaque taken for HTTP is broken), so HTTP/1 needs all of
//! `METHOD SP TARGET SP HTTP/1.`: no other protocol in use starts like this.
//!
//! Except that time may not make a request opaque: who sends half of a request
//! line and the rest after the timeout would get past routes and their policy.
//! What can only become HTTP by then is HTTP, whose own limit on slow heads
//! applies. A client that was silent is opaque, as protocols whose server speaks
//! first have to be; a port with routes that matter should say what it speaks.

mod client_hello;
mod http;

use crate::transport::io::Prefixed;
use bytes::{BufMut, BytesMut};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

pub use client_hello::ClientHello;

/// Most bytes read before a decision. A ClientHello with post-quantum keys is
/// about 2 KiB, and no TLS stack sends one beyond 16 KiB.
pub const MAX_PREFIX: usize = 16 * 1024;

/// First read, bytes, as Linkerd's.
const FIRST_READ: usize = 1024;

/// What a connection carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detected {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    H2,
    /// TLS, whose first message is complete.
    Tls(ClientHello),
    /// None of these.
    Opaque,
    /// Nothing that speaks for HTTP came in time. To be treated as opaque, and counted.
    TimedOut,
    /// The client closed without a byte.
    Closed,
}

/// Decides from the first bytes of a connection; `None` needs more of them.
/// Never `None` for [`MAX_PREFIX`] bytes or more.
pub fn classify(bytes: &[u8]) -> Option<Detected> {
    match bytes.first()? {
        &client_hello::HANDSHAKE => client_hello::classify(bytes),
        _ => http::classify(bytes),
    }
}

/// What the `bytes` of a client are that stopped before they were decided;
/// `None` if nothing speaks for HTTP.
fn undecided(bytes: &[u8]) -> Option<Detected> {
    match bytes.first()? {
        &client_hello::HANDSHAKE => None,
        _ => http::begun(bytes),
    }
}

/// Reads from `io` until its protocol is known or `timeout` is over, and gives
/// the stream back as if nothing had been read.
///
/// # Errors
/// The stream's own, such as a reset.
pub async fn detect<I: AsyncRead + Unpin>(
    mut io: I,
    timeout: Duration,
) -> io::Result<(Detected, Prefixed<I>)> {
    let mut bytes = BytesMut::new();
    let detected = match tokio::time::timeout(timeout, read(&mut io, &mut bytes)).await {
        Ok(detected) => detected?,
        Err(_) => undecided(&bytes).unwrap_or(Detected::TimedOut),
    };
    Ok((detected, Prefixed::new(io, bytes.freeze())))
}

async fn read<I: AsyncRead + Unpin>(io: &mut I, bytes: &mut BytesMut) -> io::Result<Detected> {
    loop {
        let room = bytes.len().max(FIRST_READ).min(MAX_PREFIX - bytes.len());
        bytes.reserve(room);
        let n = io.read_buf(&mut (&mut *bytes).limit(room)).await?;
        if n == 0 {
            return Ok(if bytes.is_empty() {
                Detected::Closed
            } else {
                // Too short for a request, and there is no more to come.
                Detected::Opaque
            });
        }
        if let Some(detected) = classify(bytes) {
            return Ok(detected);
        }
    }
}

#[cfg(test)]
mod tests;
