//! Settings of the application's traffic.

use super::{
    direction::{Defaults, DirectionConfig},
    env::Env,
};
use mesh_balancer::QueueConfig;
use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// Traffic of the application.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboundConfig {
    /// `OUTBOUND_LISTEN_ADDRS`, else `OUTBOUND_LISTEN_ADDR`; never empty.
    pub listen: Vec<SocketAddr>,
    /// What both directions have.
    pub common: DirectionConfig,
    /// `OUTBOUND_HTTP_QUEUE_CAPACITY`, `OUTBOUND_HTTP_FAILFAST_TIMEOUT`: for
    /// requests, where the policy says nothing.
    pub http_queue: QueueConfig,
    /// `OUTBOUND_TCP_QUEUE_CAPACITY`, `OUTBOUND_TCP_FAILFAST_TIMEOUT`: the same
    /// for connections.
    pub tcp_queue: QueueConfig,
    /// `OUTBOUND_MAX_TARGETS`: targets watched at once. Clients choose targets.
    pub max_targets: usize,
    /// `OUTBOUND_DISABLE_INFORMATIONAL_HEADERS`: clients are told of
    /// errors by their status alone.
    pub disable_informational_headers: bool,
}

impl OutboundConfig {
    pub(super) fn read(env: &mut Env<'_>, windows: (u32, u32)) -> Self {
        let defaults = Defaults {
            prefix: "OUTBOUND",
            max_idle_name: "OUTBOUND_MAX_IDLE_CONNS_PER_ENDPOINT",
            connect_timeout: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            discovery_idle: Duration::from_secs(5),
            windows,
        };
        Self {
            listen: listen(env),
            common: DirectionConfig::read(env, &defaults),
            http_queue: queue(env, "OUTBOUND_HTTP"),
            tcp_queue: queue(env, "OUTBOUND_TCP"),
            max_targets: env.within("OUTBOUND_MAX_TARGETS", 10_000, 1..=1_000_000),
            disable_informational_headers: env.or("OUTBOUND_DISABLE_INFORMATIONAL_HEADERS", false),
        }
    }
}

fn queue(env: &mut Env<'_>, prefix: &str) -> QueueConfig {
    let (capacity, failfast) = ("QUEUE_CAPACITY", "FAILFAST_TIMEOUT");
    QueueConfig {
        capacity: env.within(&format!("{prefix}_{capacity}"), 10_000, 1..=1_000_000),
        failfast_timeout: env.timeout(&format!("{prefix}_{failfast}"), Duration::from_secs(3)),
    }
}

/// Linkerd's injector sets both names; the plural is the newer.
fn listen(env: &mut Env<'_>) -> Vec<SocketAddr> {
    let single: Option<SocketAddr> = env.opt("OUTBOUND_LISTEN_ADDR");
    let loopback = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, 4140)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, 4140)),
    ];
    let default = single.map_or_else(|| loopback.to_vec(), |addr| vec![addr]);
    let addrs = env.or("OUTBOUND_LISTEN_ADDRS", default);
    if addrs.is_empty() {
        let expected = "at least one IP address with a port".into();
        env.conflict(
            "OUTBOUND_LISTEN_ADDRS",
            expected,
            "127.0.0.1:4140,[::1]:4140",
        );
    }
    addrs
}
