//! From the configuration to what each part wants to know.

use crate::{
    config::{DirectionConfig, InboundConfig, OutboundConfig},
    http::{client::ClientSettings, server::ServerSettings},
    inbound, outbound,
    transport::splice::SpliceOptions,
};
use std::{net::SocketAddr, time::Duration};

/// Buffer per direction of an opaque connection, in bytes.
const SPLICE_BUFFER: usize = 64 * 1024;

/// How long a balancer is kept without use: Linkerd forgets after 5 s, and so
/// forgets the latencies of every service that is called once in a while.
const BACKEND_IDLE: Duration = Duration::from_secs(60);

pub(super) fn inbound(config: &InboundConfig) -> inbound::Settings {
    let common = &config.common;
    inbound::Settings {
        ips: config.ips.iter().copied().collect(),
        demands: inbound::Demands {
            identity: config.ports_require_identity.clone(),
            tls: config.ports_require_tls.clone(),
        },
        handshake_timeout: common.detect_timeout,
        connect_timeout: common.connect_timeout,
        connect: common.connect,
        server: server(common),
        client: client(common),
        splice: splice(common),
        idle: common.discovery_idle_timeout,
    }
}

pub(super) fn outbound(config: &OutboundConfig, listeners: Vec<SocketAddr>) -> outbound::Settings {
    let common = &config.common;
    outbound::Settings {
        listeners,
        detect_timeout: common.detect_timeout,
        connect_timeout: common.connect_timeout,
        connect_backoff: common.connect_backoff,
        connect: common.connect,
        http_queue: config.http_queue,
        tcp_queue: config.tcp_queue,
        server: server(common),
        client: client(common),
        splice: splice(common),
        explain: !config.disable_informational_headers,
        idle: common.discovery_idle_timeout.max(BACKEND_IDLE),
    }
}

fn server(config: &DirectionConfig) -> ServerSettings {
    let h2 = &config.h2_server;
    ServerSettings {
        header_read_timeout: config.header_read_timeout,
        max_header_bytes: config.max_header_bytes,
        max_headers: config.max_headers,
        max_resets_per_second: config.max_resets_per_second,
        h2: *h2,
    }
}

fn client(config: &DirectionConfig) -> ClientSettings {
    ClientSettings {
        idle_timeout: config.http1_pool_idle_timeout,
        max_idle: config.max_idle_connections,
        max_header_bytes: config.max_header_bytes,
        max_headers: config.max_headers,
        h2: config.h2_client,
    }
}

fn splice(config: &DirectionConfig) -> SpliceOptions {
    SpliceOptions {
        idle_timeout: config.tcp_idle_timeout,
        buffer: SPLICE_BUFFER,
    }
}
