//! Settings of the clients of the control plane.

use super::Backoff;
use crate::policy::Target;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Where a control-plane service is and who it must prove to be
/// (`DESTINATION_SVC_ADDR` and `_NAME`, and the same for policy and identity).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlAddr {
    /// `HOST:PORT` or `IP:PORT`, as [`Target::parse`] reads it.
    pub target: Target,
    /// The service's identity, a DNS-like name. Needed for any address that is
    /// not loopback; to a loopback address the connection is plaintext anyway.
    pub identity: Option<Arc<str>>,
}

/// One client of the control plane.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlConfig {
    /// The service.
    pub addr: ControlAddr,
    /// Bound on TCP and TLS handshakes with one address.
    pub connect_timeout: Duration,
    /// HTTP/2 pings that tell a dead server from an idle one.
    pub keepalive: Keepalive,
    /// Between attempts to connect.
    pub backoff: Backoff,
}

impl ControlConfig {
    /// The defaults for everything but the address.
    pub fn new(addr: ControlAddr) -> Self {
        Self {
            addr,
            connect_timeout: Duration::from_secs(1),
            keepalive: Keepalive::default(),
            backoff: Backoff::CONTROL,
        }
    }
}

/// HTTP/2 keepalive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Time between pings.
    pub interval: Duration,
    /// A connection whose ping is not answered for so long is dead.
    pub timeout: Duration,
}

impl Default for Keepalive {
    /// 10 s and 3 s, as Linkerd's chart sets them.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
        }
    }
}

/// How names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// Read instead of `/etc/resolv.conf` (`RESOLV_CONF`).
    pub resolv_conf: Option<PathBuf>,
    /// An answer is used at least so long, whatever its TTL (`DNS_MIN_TTL`).
    pub min_ttl: Duration,
    /// An answer is used at most so long, whatever its TTL (`DNS_MAX_TTL`).
    pub max_ttl: Duration,
}

impl Default for DnsConfig {
    /// The system's servers; TTLs between 1 s and 5 min, so that neither a TTL
    /// of 0 makes a query per connection nor a long one hides a move.
    fn default() -> Self {
        Self {
            resolv_conf: None,
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(300),
        }
    }
}

/// Bounds on one stream of a watch (`CONTROL_STREAM_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Until the server has accepted the watch (`_INITIAL_TIMEOUT`).
    pub initial: Duration,
    /// A stream silent for so long is asked for again (`_IDLE_TIMEOUT`).
    pub idle: Duration,
    /// A stream is asked for again after so long (`_LIFETIME`), so that load
    /// spreads over controllers that were added meanwhile.
    pub lifetime: Duration,
}

impl Default for StreamLimits {
    /// 3 s, 5 min, 1 h, as Linkerd's chart sets them.
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(3),
            idle: Duration::from_secs(300),
            lifetime: Duration::from_secs(3600),
        }
    }
}

/// How a watch is kept alive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WatchConfig {
    /// Bounds on one stream.
    pub limits: StreamLimits,
    /// After a stream that ended or failed.
    pub retry: Backoff,
    /// After an answer that asking again does not change soon: not found,
    /// invalid, not supported.
    pub ask_again: Backoff,
}

impl Default for WatchConfig {
    /// Retries by [`Backoff::CONTROL`], asks again after 3 s to 60 s.
    fn default() -> Self {
        Self {
            limits: StreamLimits::default(),
            retry: Backoff::CONTROL,
            ask_again: Backoff::ASK_AGAIN,
        }
    }
}
