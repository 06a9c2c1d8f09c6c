//! Settings of discovery.

use crate::{control::WatchConfig, policy::ServerPolicy};
use std::{ops::RangeInclusive, sync::Arc, time::Duration};

/// Who asks, what is assumed meanwhile, and how long answers are kept.
#[derive(Clone, Debug)]
pub struct DiscoveryConfig {
    /// `POLICY_WORKLOAD`: sent with policy requests as it is.
    pub workload: Arc<str>,
    /// `DESTINATION_CONTEXT`: sent with destination requests as it is.
    pub context: Arc<str>,
    /// `DESTINATION_PROFILE_INITIAL_TIMEOUT`: how long the first connection to a
    /// target waits for the control plane before it is forwarded as it is.
    pub initial_timeout: Duration,
    /// `OUTBOUND_DISCOVERY_IDLE_TIMEOUT`: an outbound watch ends so long after
    /// its last user.
    pub outbound_idle: Duration,
    /// `INBOUND_DISCOVERY_IDLE_TIMEOUT`: the same for the policy of a port.
    pub inbound_idle: Duration,
    /// `OUTBOUND_DETECT_TIMEOUT`: for targets whose policy names none.
    pub detect_timeout: Duration,
    /// Outbound targets watched at once. Clients choose targets, so this bounds
    /// what they can make the proxy hold; one more is refused with 503.
    pub max_targets: usize,
    /// Inbound ports watched at once. Peers name ports in transport headers.
    pub max_ports: usize,
    /// What holds for inbound ports until the controller answers, and for those
    /// it does not know.
    pub inbound_default: InboundDefault,
    /// How watches are kept alive.
    pub watch: WatchConfig,
}

impl DiscoveryConfig {
    /// Linkerd's timeouts (500 ms, 5 s, 90 s), detection within 3 s, 10 000 targets,
    /// 1024 ports.
    pub fn new(
        workload: impl Into<Arc<str>>,
        context: impl Into<Arc<str>>,
        inbound_default: InboundDefault,
    ) -> Self {
        Self {
            workload: workload.into(),
            context: context.into(),
            initial_timeout: Duration::from_millis(500),
            outbound_idle: Duration::from_secs(5),
            inbound_idle: Duration::from_secs(90),
            detect_timeout: Duration::from_secs(3),
            max_targets: 10_000,
            max_ports: 1024,
            inbound_default,
            watch: WatchConfig::default(),
        }
    }
}

/// The policy of inbound ports while the controller has not answered.
#[derive(Clone, Debug)]
pub struct InboundDefault {
    /// For every port; see [`super::DefaultPolicy::server_policy`].
    pub policy: Arc<ServerPolicy>,
    /// `INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION`: opaque instead of detected.
    pub opaque_ports: Vec<RangeInclusive<u16>>,
}
