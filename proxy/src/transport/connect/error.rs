//! Why there is no connection.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// TCP.
    #[error("could not connect to {addr}: {cause}")]
    Tcp {
        /// The address.
        addr: SocketAddr,
        /// What the kernel said.
        cause: io::Error,
    },
    /// TLS: the peer is not who it should be, or does not trust us.
    #[error("mutual TLS with {server_name} at {addr} failed: {cause}")]
    Tls {
        /// The address.
        addr: SocketAddr,
        /// The name asked for.
        server_name: String,
        /// What rustls said.
        cause: io::Error,
    },
    /// The endpoint's identity can't be verified.
    #[error("{addr} can't be connected securely: {reason}")]
    Identity {
        /// The address.
        addr: SocketAddr,
        /// What is wrong with its identity.
        reason: Arc<str>,
    },
    /// The peer did not agree to a transport header, so it would take one for
    /// something else.
    #[error("{addr} did not agree to {alpn}: that port is no inbound port of a proxy")]
    NoHeader {
        /// The address.
        addr: SocketAddr,
        /// What it should have agreed to.
        alpn: &'static str,
    },
    /// It leads back to this proxy.
    #[error("{addr} is this proxy's own listener {own}: what is sent there comes back")]
    Loop {
        /// The address.
        addr: SocketAddr,
        /// The listener.
        own: SocketAddr,
    },
    /// Neither happened in time.
    #[error("could not connect to {addr} within {timeout:?}")]
    Timeout {
        /// The address.
        addr: SocketAddr,
        /// The limit.
        timeout: Duration,
    },
}

impl ConnectError {
    /// Whether `error` comes of a connection that leads back to this proxy.
    pub fn is_loop(error: &(dyn std::error::Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(Self::Loop { .. }) = error.downcast_ref() {
                return true;
            }
            next = error.source();
        }
        false
    }
}
