//! What inbound and outbound have in common.

use super::env::Env;
use crate::{
    control::{Backoff, Keepalive},
    transport::listener::SocketOptions,
};
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
    pub h2_server: H2Settings,
    /// HTTP/2 towards endpoints.
    pub h2_client: H2Settings,
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

/// HTTP/2 settings of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2Settings {
    /// Flow-control window of a stream, in bytes.
    pub initial_stream_window: u32,
    /// Flow-control window of a connection, in bytes.
    pub initial_connection_window: u32,
    /// Grow the windows by measured bandwidth and delay instead.
    pub adaptive_window: bool,
    /// Streams the peer may open at once.
    pub max_concurrent_streams: u32,
    /// Bytes of a frame we accept.
    pub max_frame_size: u32,
    /// Bytes of a header list we accept.
    pub max_header_list_size: u32,
    /// Streams reset by the peer before we accepted them (CVE-2023-44487).
    pub max_pending_accept_reset_streams: usize,
    /// Bytes buffered per stream for writing.
    pub max_send_buffer: usize,
    /// Pings that find a dead peer; `None` sends none.
    pub keepalive: Option<Keepalive>,
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
            h2_server: H2Settings::read(env, &name("SERVER_HTTP2"), of.windows),
            h2_client: H2Settings::read(env, &name("CONNECT_HTTP2"), of.windows),
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

/// The largest flow-control window (RFC 9113, 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

impl H2Settings {
    fn read(env: &mut Env<'_>, prefix: &str, (stream, connection): (u32, u32)) -> Self {
        let name = |suffix: &str| format!("{prefix}_{suffix}");
        Self {
            initial_stream_window: env.within(
                &name("INITIAL_STREAM_WINDOW_SIZE"),
                stream,
                1024..=MAX_WINDOW,
            ),
            initial_connection_window: env.within(
                &name("INITIAL_CONNECTION_WINDOW_SIZE"),
                connection,
                65_535..=MAX_WINDOW,
            ),
            adaptive_window: env.or(&name("ADAPTIVE_FLOW_CONTROL"), false),
            max_concurrent_streams: env.within(&name("MAX_CONCURRENT_STREAMS"), 1000, 1..=1 << 20),
            // Bounds of RFC 9113, 6.5.2.
            max_frame_size: env.within(&name("MAX_FRAME_SIZE"), 16_384, 16_384..=16_777_215),
            max_header_list_size: env.within(
                &name("MAX_HEADER_LIST_SIZE"),
                65_536,
                8192..=1_048_576,
            ),
            max_pending_accept_reset_streams: env.within(
                &name("MAX_PENDING_ACCEPT_RESET_STREAMS"),
                20,
                1..=10_000,
            ),
            max_send_buffer: env.within(&name("MAX_SEND_BUF_SIZE"), 262_144, 16_384..=16_777_216),
            keepalive: h2_keepalive(env, &name("KEEP_ALIVE")),
        }
    }
}

/// Flow-control windows where a side has none of its own: stream, connection.
pub(super) fn windows(env: &mut Env<'_>) -> (u32, u32) {
    let stream = env.within(
        "HTTP2_INITIAL_STREAM_WINDOW_SIZE",
        65_535,
        1024..=MAX_WINDOW,
    );
    let connection = env.within(
        "HTTP2_INITIAL_CONNECTION_WINDOW_SIZE",
        1 << 20,
        65_535..=MAX_WINDOW,
    );
    (stream, connection)
}

pub(super) fn h2_keepalive(env: &mut Env<'_>, prefix: &str) -> Option<Keepalive> {
    let default = Keepalive::default();
    let interval = env.switchable(&format!("{prefix}_INTERVAL"), Some(default.interval));
    let timeout = env.timeout(&format!("{prefix}_TIMEOUT"), default.timeout);
    interval.map(|interval| Keepalive { interval, timeout })
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
