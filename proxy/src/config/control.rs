//! Settings of the clients of the control plane, discovery and identity.

use super::{
    direction::backoff,
    env::Env,
    inbound::InboundConfig,
    outbound::OutboundConfig,
    value::{Identity, Pem, Value as _, Workload},
};
use crate::{
    control::{Backoff, ControlAddr, ControlConfig, DnsConfig, Keepalive, StreamLimits},
    discovery::{DiscoveryConfig, InboundDefault},
    identity::{IdentityConfig, TrustAnchors},
    policy::Target,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// What all clients of the control plane have in common.
pub(super) struct ClientSettings {
    connect_timeout: Duration,
    keepalive: Keepalive,
    backoff: Backoff,
}

impl ClientSettings {
    pub(super) fn read(env: &mut Env<'_>) -> Self {
        let connect_timeout = env.timeout("CONTROL_CONNECT_TIMEOUT", Duration::from_secs(1));
        let default = Keepalive::default();
        Self {
            connect_timeout,
            // Without pings a dead controller would never be noticed.
            keepalive: Keepalive {
                interval: env.timeout("CONTROL_KEEP_ALIVE_INTERVAL", default.interval),
                timeout: env.timeout("CONTROL_KEEP_ALIVE_TIMEOUT", default.timeout),
            },
            backoff: backoff(env, "CONTROL_EXP_BACKOFF", Duration::from_secs(10)),
        }
    }

    /// The service at `prefix` `_ADDR` that proves to be `prefix` `_NAME`.
    pub(super) fn service(&self, env: &mut Env<'_>, prefix: &str) -> Option<ControlConfig> {
        let target: Option<Target> = env.required(&format!("{prefix}_ADDR"));
        let name = format!("{prefix}_NAME");
        let identity: Option<Identity> = env.opt(&name);
        let target = target?;
        let loopback = matches!(&target, Target::Addr(addr) if addr.ip().is_loopback());
        if !env.is_set(&name) && !loopback {
            let expected = format!("{}, since {target} is not loopback", Identity::EXPECTED);
            env.conflict(&name, expected, Identity::EXAMPLE);
        }
        Some(ControlConfig {
            addr: ControlAddr {
                target,
                identity: identity.map(|Identity(name)| name.into()),
            },
            connect_timeout: self.connect_timeout,
            keepalive: self.keepalive,
            backoff: self.backoff,
        })
    }
}

pub(super) fn identity(env: &mut Env<'_>, client: &ClientSettings) -> Option<IdentityConfig> {
    let service = client.service(env, "IDENTITY_SVC");
    let local: Option<Identity> = env.opt("IDENTITY_LOCAL_NAME");
    let server: Option<Identity> = env.opt("IDENTITY_SERVER_ID");
    if !env.is_set("IDENTITY_LOCAL_NAME") && !env.is_set("IDENTITY_SERVER_ID") {
        env.missing::<Identity>("IDENTITY_LOCAL_NAME");
    }
    let trust_anchors = trust_anchors(env);
    let token_file: Option<PathBuf> = env.required("IDENTITY_TOKEN_FILE");
    let min_refresh = env.timeout("IDENTITY_MIN_REFRESH", Duration::from_secs(10));
    let max_refresh = env.timeout("IDENTITY_MAX_REFRESH", Duration::from_secs(86_400));
    if min_refresh > max_refresh {
        let expected = "at most the value of IDENTITY_MAX_REFRESH".into();
        env.conflict("IDENTITY_MIN_REFRESH", expected, "10s");
    }
    let Identity(name) = local.or(server)?;
    Some(IdentityConfig {
        name: name.into(),
        trust_anchors: trust_anchors?,
        token_file: token_file?,
        service: service?,
        min_refresh,
        max_refresh,
    })
}

/// A watched file wins over certificates fixed in the environment.
fn trust_anchors(env: &mut Env<'_>) -> Option<TrustAnchors> {
    let file: Option<PathBuf> = env.opt("IDENTITY_TRUST_ANCHORS_FILE");
    let pem: Option<Pem> = env.opt("IDENTITY_TRUST_ANCHORS");
    match (file, pem) {
        (Some(file), _) => Some(TrustAnchors::File(file)),
        (None, Some(Pem(pem))) => Some(TrustAnchors::Pem(pem)),
        (None, None) => {
            let wrong = ["IDENTITY_TRUST_ANCHORS_FILE", "IDENTITY_TRUST_ANCHORS"];
            if !wrong.iter().any(|name| env.is_set(name)) {
                env.missing::<Pem>("IDENTITY_TRUST_ANCHORS");
            }
            None
        }
    }
}

pub(super) fn discovery(
    env: &mut Env<'_>,
    inbound: &InboundConfig,
    outbound: &OutboundConfig,
) -> Option<DiscoveryConfig> {
    let workload: Option<Workload> = env.required("POLICY_WORKLOAD");
    let context: Option<Workload> = env.opt("DESTINATION_CONTEXT");
    let initial = "DESTINATION_PROFILE_INITIAL_TIMEOUT";
    let initial_timeout = env.timeout(initial, Duration::from_millis(500));
    let limits = stream_limits(env);
    let policy = inbound
        .default_policy
        .server_policy(&inbound.cluster_networks, inbound.common.detect_timeout);
    let assumed = InboundDefault {
        policy: Arc::new(policy),
        opaque_ports: inbound.ports_disable_protocol_detection.ranges().to_vec(),
    };
    let context = context.map(|Workload(context)| context).unwrap_or_default();
    let mut discovery = DiscoveryConfig::new(workload?.0, context, assumed);
    discovery.initial_timeout = initial_timeout;
    discovery.outbound_idle = outbound.common.discovery_idle_timeout;
    discovery.inbound_idle = inbound.common.discovery_idle_timeout;
    discovery.detect_timeout = outbound.common.detect_timeout;
    discovery.max_targets = outbound.max_targets;
    discovery.max_ports = inbound.max_ports;
    discovery.watch.limits = limits;
    Some(discovery)
}

fn stream_limits(env: &mut Env<'_>) -> StreamLimits {
    let default = StreamLimits::default();
    StreamLimits {
        initial: env.timeout("CONTROL_STREAM_INITIAL_TIMEOUT", default.initial),
        idle: env.timeout("CONTROL_STREAM_IDLE_TIMEOUT", default.idle),
        lifetime: env.timeout("CONTROL_STREAM_LIFETIME", default.lifetime),
    }
}

pub(super) fn dns(env: &mut Env<'_>) -> DnsConfig {
    let default = DnsConfig::default();
    let config = DnsConfig {
        resolv_conf: env.opt("RESOLV_CONF"),
        min_ttl: env.or("DNS_MIN_TTL", default.min_ttl),
        max_ttl: env.or("DNS_MAX_TTL", default.max_ttl),
    };
    if config.min_ttl > config.max_ttl {
        let expected = "at most the value of DNS_MAX_TTL".into();
        env.conflict("DNS_MIN_TTL", expected, "1s");
    }
    config
}
