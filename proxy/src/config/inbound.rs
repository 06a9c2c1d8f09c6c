//! Settings of traffic to the application.

use super::{
    direction::{Defaults, DirectionConfig},
    env::Env,
    ports::PortSet,
};
use crate::discovery::DefaultPolicy;
use ipnet::IpNet;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Traffic to the application.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundConfig {
    /// `INBOUND_LISTEN_ADDR`: where interception sends traffic to, and peers
    /// connect with a transport header.
    pub listen: SocketAddr,
    /// What both directions have.
    pub common: DirectionConfig,
    /// `INBOUND_DEFAULT_POLICY`: holds for ports the controller says nothing about.
    pub default_policy: DefaultPolicy,
    /// `POLICY_CLUSTER_NETWORKS`: what `cluster-` policies mean.
    pub cluster_networks: Vec<IpNet>,
    /// `INBOUND_PORTS`: ports of the workload, whose policies are asked for at once.
    pub ports: PortSet,
    /// `INBOUND_MAX_PORTS`: ports whose policy is watched at once. Peers choose ports.
    pub max_ports: usize,
    /// `INBOUND_IPS`: addresses of the workload; original destinations that are
    /// none of them are refused. Empty allows all.
    pub ips: Vec<IpAddr>,
    /// `INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION`: opaque until the controller answers.
    pub ports_disable_protocol_detection: PortSet,
    /// `INBOUND_PORTS_REQUIRE_IDENTITY`: clients need an identity whatever policy says.
    pub ports_require_identity: PortSet,
    /// `INBOUND_PORTS_REQUIRE_TLS`: clients need mesh TLS whatever policy says.
    pub ports_require_tls: PortSet,
}

/// Private networks: Linkerd's install defaults for `clusterNetworks`.
const CLUSTER_NETWORKS: [&str; 5] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fd00::/8",
];

impl InboundConfig {
    pub(super) fn read(env: &mut Env<'_>, windows: (u32, u32)) -> Self {
        let defaults = Defaults {
            prefix: "INBOUND",
            max_idle_name: "MAX_IDLE_CONNS_PER_ENDPOINT",
            // The application is on this machine.
            connect_timeout: Duration::from_millis(300),
            backoff_max: Duration::from_secs(10),
            discovery_idle: Duration::from_secs(90),
            windows,
        };
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 4143));
        let open = "all-unauthenticated".parse().expect("a policy's name");
        let networks = CLUSTER_NETWORKS.map(|net| net.parse().expect("a network"));
        Self {
            listen: env.or("INBOUND_LISTEN_ADDR", any),
            common: DirectionConfig::read(env, &defaults),
            default_policy: env.or("INBOUND_DEFAULT_POLICY", open),
            cluster_networks: env.or("POLICY_CLUSTER_NETWORKS", networks.to_vec()),
            ports: env.or("INBOUND_PORTS", PortSet::default()),
            max_ports: env.within("INBOUND_MAX_PORTS", 1024, 1..=65_536),
            ips: env.or("INBOUND_IPS", Vec::new()),
            ports_disable_protocol_detection: env.or(
                "INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION",
                PortSet::default(),
            ),
            ports_require_identity: env.or("INBOUND_PORTS_REQUIRE_IDENTITY", PortSet::default()),
            ports_require_tls: env.or("INBOUND_PORTS_REQUIRE_TLS", PortSet::default()),
        }
    }
}
