//! What inbound and outbound have in common.

use super::{
    env::Env,
    h2::{H2ClientSettings, H2ServerSettings},
};
use crate::{control::Backoff, transport::listener::SocketOptions};
use std::time::Duration;

/// Settings that both directions have, each with its own values.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectionConfig {
    /// How long to wait for a client's first bytes before its connection is
    /// opaque (`_DETECT_TIMEOUT`).
    pub detect_timeout: Duration,
    /// Bound on TCP and TLS handshakes with an endpoint (`_CONNECT_TIMEOUT`).
    pub connect_timeout: Duration,
    /// Between attempts to connect to an endpoint (`_CONNECT_EXP_BACKOFF_*`).
    pub connect_backoff: Backoff,
    /// Sockets of clients (`_ACCEPT_*`).
    pub accept: SocketOptions,
    /// Sockets to endpoints (`_CONNECT_*`).
    pub connect: SocketOptions,
    /// Length of the kernel's queue of connections not yet accepted.
    pub backlog: u32,
    /// Client connections held at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Requests held at once; more are answered 503.
    pub max_in_flight: usize,
    /// An idle HTTP/1 connection to an endpoint is closed after this.
    pub http1_pool_idle_timeout: Duration,
    /// Idle HTTP/1 connections kept per endpoint.
    pub max_idle_connections: usize,
    /// What is known of a target is dropped so long after its last use.
    pub discovery_idle_timeout: Duration,
    /// HTTP/2 towards clients.
    pub h2_server: H2ServerSettings,
    /// HTTP/2 towards endpoints.
    pub h2_client: H2ClientSettings,
    /// Until a request's headers are complete.
    pub header_read_timeout: Duration,
    /// Bytes of a request's or response's headers.
    pub max_header_bytes: usize,
    /// Number of a request's or response's headers.
    pub max_headers: usize,
    /// HTTP/2 streams one client connection may reset in a second.
    pub max_resets_per_second: u32,
    /// An opaque connection silent in both directions is closed after this.
    pub tcp_idle_timeout: Duration,
}

/// Where the two directions differ: names and defaults.
pub(super) struct Defaults {
    pub(super) prefix: &'static str,
    pub(super) max_idle_name: &'static str,
    pub(super) connect_timeout: Duration,
    pub(super) backoff_max: Duration,
    pub(super) discovery_idle: Duration,
    pub(super) windows: (u32, u32),
}

impl DirectionConfig {
    pub(super) fn read(env: &mut Env<'_>, of: &Defaults) -> Self {
        let name = |suffix: &str| format!("{}_{suffix}", of.prefix);
        let seconds = Duration::from_secs;
        Self {
            detect_timeout: env.timeout(&name("DETECT_TIMEOUT"), seconds(3)),
            connect_timeout: env.timeout(&name("CONNECT_TIMEOUT"), of.connect_timeout),
            connect_backoff: backoff(env, &name("CONNECT_EXP_BACKOFF"), of.backoff_max),
            accept: sockets(env, &name("ACCEPT")),
            connect: sockets(env, &name("CONNECT")),
            // The kernel caps it at net.core.somaxconn.
            backlog: env.within(&name("TCP_LISTEN_BACKLOG"), 4096, 1..=65_535),
            max_connections: env.within(&name("MAX_CONNECTIONS"), 10_000, 1..=1_000_000),
            max_in_flight: env.within(&name("MAX_IN_FLIGHT"), 100_000, 1..=10_000_000),
            http1_pool_idle_timeout: env
                .timeout(&name("HTTP1_CONNECTION_POOL_IDLE_TIMEOUT"), seconds(3)),
            max_idle_connections: env.within(of.max_idle_name, 10_000, 0..=1_000_000),
            discovery_idle_timeout: env.timeout(&name("DISCOVERY_IDLE_TIMEOUT"), of.discovery_idle),
            h2_server: H2ServerSettings::read(env, &name("SERVER_HTTP2"), of.windows),
            h2_client: H2ClientSettings::read(env, &name("CONNECT_HTTP2"), of.windows),
            header_read_timeout: env.timeout(&name("HEADER_READ_TIMEOUT"), seconds(30)),
            // Between nginx's 32 KiB and Envoy's 60 KiB, and hyper's 400 KiB.
            max_header_bytes: env.within(&name("MAX_HEADER_BYTES"), 65_536, 8192..=1_048_576),
            max_headers: env.within(&name("MAX_HEADERS"), 128, 16..=10_000),
            max_resets_per_second: env.within(&name("MAX_RESETS_PER_SECOND"), 200, 1..=1_000_000),
            // Longer than idle connections of database pools, shorter than for ever.
            tcp_idle_timeout: env.timeout(&name("TCP_IDLE_TIMEOUT"), seconds(24 * 3600)),
        }
    }
}

/// On by default: without them a peer that vanished is noticed after hours.
fn sockets(env: &mut Env<'_>, prefix: &str) -> SocketOptions {
    let (keepalive, user_timeout) = (Duration::from_secs(10), Duration::from_secs(30));
    SocketOptions {
        keepalive: env.switchable(&format!("{prefix}_KEEPALIVE"), Some(keepalive)),
        user_timeout: env.switchable(&format!("{prefix}_USER_TIMEOUT"), Some(user_timeout)),
    }
}

/// Reads `prefix` `_MIN`, `_MAX` and `_JITTER`.
pub(super) fn backoff(env: &mut Env<'_>, prefix: &str, max: Duration) -> Backoff {
    let min = env.timeout(&format!("{prefix}_MIN"), Duration::from_millis(100));
    let max = env.timeout(&format!("{prefix}_MAX"), max);
    let jitter = env.within(&format!("{prefix}_JITTER"), 0.1, 0.0..=1.0);
    Backoff::new(min, max, jitter).unwrap_or_else(|error| {
        let name = format!("{prefix}_MIN");
        env.conflict(
            &name,
            format!("at most the value of {prefix}_MAX ({error})"),
            "100ms",
        );
        Backoff::CONTROL
    })
}
