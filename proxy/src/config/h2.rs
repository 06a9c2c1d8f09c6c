//! HTTP/2 settings.
//!
//! A connection's window is shared by its streams: 16 readers that stall with
//! 64 KiB each use up 1 MiB, and then nobody else's bytes come. Per-stream
//! accounting needs no setting of its own: where the connection's window is at
//! least that of all streams together, no stream can hold up another. So it is
//! 16 MiB, for 256 full streams, and our own connections take no more streams
//! than that ([`H2Settings::streams`]); the next goes on another connection.
//! Clients may open more (a blocked one would wait for ever) and hold up each
//! other from the 257th stalled upload on. What this costs is memory only when
//! readers do stall: 64 KiB for each, and 16 MiB for a connection at most.

use super::env::Env;
use crate::control::Keepalive;
use std::time::Duration;

/// What both sides of a connection have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2Settings {
    /// Flow-control window of a stream, in bytes.
    pub initial_stream_window: u32,
    /// Flow-control window of a connection, in bytes.
    pub initial_connection_window: u32,
    /// Grow the windows by measured bandwidth and delay instead.
    pub adaptive_window: bool,
    /// Bytes of a frame we accept.
    pub max_frame_size: u32,
    /// Bytes of a header list we accept.
    pub max_header_list_size: u32,
    /// Bytes buffered per stream for writing.
    pub max_send_buffer: usize,
    /// Pings that find a dead peer; `None` sends none.
    pub keepalive: Option<Keepalive>,
}

/// Connections of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2ServerSettings {
    /// What both sides have.
    pub common: H2Settings,
    /// Streams the client may open at once.
    pub max_concurrent_streams: u32,
    /// Streams reset by the client before we accepted them (CVE-2023-44487).
    pub max_pending_accept_reset_streams: usize,
}

/// Connections to endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct H2ClientSettings {
    /// What both sides have.
    pub common: H2Settings,
    /// A connection takes requests for so long, at most; `None` is for ever.
    pub max_age: Option<Duration>,
}

/// The largest flow-control window (RFC 9113, 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

impl H2Settings {
    /// Streams whose windows are full together before the connection's is.
    pub fn streams(&self) -> usize {
        // Windows that grow say nothing beforehand.
        if self.adaptive_window {
            return usize::MAX;
        }
        let streams = self.initial_connection_window / self.initial_stream_window.max(1);
        streams.max(1) as usize
    }

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
            // Bounds of RFC 9113, 6.5.2.
            max_frame_size: env.within(&name("MAX_FRAME_SIZE"), 16_384, 16_384..=16_777_215),
            max_header_list_size: env.within(
                &name("MAX_HEADER_LIST_SIZE"),
                65_536,
                8192..=1_048_576,
            ),
            max_send_buffer: env.within(&name("MAX_SEND_BUF_SIZE"), 262_144, 16_384..=16_777_216),
            keepalive: keepalive(env, &name("KEEP_ALIVE")),
        }
    }
}

impl H2ServerSettings {
    pub(super) fn read(env: &mut Env<'_>, prefix: &str, windows: (u32, u32)) -> Self {
        let name = |suffix: &str| format!("{prefix}_{suffix}");
        Self {
            common: H2Settings::read(env, prefix, windows),
            max_concurrent_streams: env.within(&name("MAX_CONCURRENT_STREAMS"), 1000, 1..=1 << 20),
            max_pending_accept_reset_streams: env.within(
                &name("MAX_PENDING_ACCEPT_RESET_STREAMS"),
                20,
                1..=10_000,
            ),
        }
    }
}

impl H2ClientSettings {
    pub(super) fn read(env: &mut Env<'_>, prefix: &str, windows: (u32, u32)) -> Self {
        let hour = Duration::from_secs(3600);
        Self {
            common: H2Settings::read(env, prefix, windows),
            max_age: env.switchable(&format!("{prefix}_MAX_AGE"), Some(hour)),
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
        16 << 20,
        65_535..=MAX_WINDOW,
    );
    (stream, connection)
}

/// Reads `prefix` `_INTERVAL` and `_TIMEOUT`.
fn keepalive(env: &mut Env<'_>, prefix: &str) -> Option<Keepalive> {
    let default = Keepalive::default();
    let interval = env.switchable(&format!("{prefix}_INTERVAL"), Some(default.interval));
    let timeout = env.timeout(&format!("{prefix}_TIMEOUT"), default.timeout);
    interval.map(|interval| Keepalive { interval, timeout })
}
