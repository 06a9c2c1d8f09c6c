//! Who runs where in the demo.
//!
//! Every workload stands for a pod, so it gets an address of its own: 127.0.1.N. Linux answers on all of 127.0.0.0/8 without any
//! set-up, so each proxy can keep Linkerd's standard ports and nothing meets what already listens on 127.0.0.1. The alternative, one
//! address and a block of odd ports, would make the manifests and the addresses that a reader is told to try look like no real mesh.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Namespace of the client and the service.
pub(crate) const NAMESPACE: &str = "demo";
/// Namespace of the control plane, part of every identity.
pub(crate) const MESH_NAMESPACE: &str = "mesh";
/// Trust domain of the demo's certificates.
pub(crate) const TRUST_DOMAIN: &str = "cluster.local";
/// The service that the client calls; also the service account of its replicas.
pub(crate) const SERVICE: &str = "web";
/// Name and service account of the calling workload.
pub(crate) const CLIENT: &str = "client";
/// Replicas of the service.
pub const REPLICAS: u8 = 5;

/// Ports that mean the same on every address.
pub mod port {
    /// Where a proxy takes connections from the mesh.
    pub const INBOUND: u16 = 4143;
    /// Where a proxy takes its application's connections.
    pub const OUTBOUND: u16 = 4140;
    /// A proxy's admin endpoint.
    pub const ADMIN: u16 = 4191;
    /// A proxy's tap.
    pub const TAP: u16 = 4190;
    /// The application's HTTP port.
    pub const APP_HTTP: u16 = 8080;
    /// The application's gRPC port, and the service's.
    pub const APP_GRPC: u16 = 50051;
    /// The service's HTTP port, as clients name it.
    pub const SERVICE_HTTP: u16 = 80;
    /// The identity service.
    pub const IDENTITY: u16 = 8080;
    /// The controller's destination service.
    pub const DESTINATION: u16 = 8086;
    /// The controller's policy service.
    pub const POLICY: u16 = 8090;
    /// The controller's admin endpoint.
    pub const CONTROLLER_ADMIN: u16 = 9990;
    /// The identity service's admin endpoint.
    pub const IDENTITY_ADMIN: u16 = 9991;
}

/// The three leading octets of a loopback network, such as `127.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network([u8; 3]);

impl Network {
    fn host(self, last: u8) -> IpAddr {
        let [a, b, c] = self.0;
        IpAddr::V4(Ipv4Addr::new(a, b, c, last))
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let octets: Vec<u8> = text
            .split('.')
            .map_while(|octet| octet.parse().ok())
            .collect();
        match octets[..] {
            [127, b, c] if text.split('.').count() == 3 => Ok(Self([127, b, c])),
            _ => Err("expected three octets of the loopback network, such as 127.0.1".to_owned()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a}.{b}.{c}")
    }
}

/// A pod of the demo: an application (except for the client, whose part the load generator plays) and its proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Pod name, and the replica name that the application tells in `x-replica`.
    pub name: String,
    /// Service account, from which the identity follows.
    pub account: &'static str,
    /// Its own address.
    pub ip: IpAddr,
}

impl Workload {
    /// Its address with this port.
    pub fn addr(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }

    /// The name in the workload's certificate.
    pub fn identity(&self) -> String {
        identity(self.account, NAMESPACE)
    }

    /// Name of its proxy in messages, logs and the report.
    pub fn proxy_name(&self) -> String {
        format!("{}-proxy", self.name)
    }
}

/// The identity of a service account.
pub(crate) fn identity(account: &str, namespace: &str) -> String {
    format!("{account}.{namespace}.serviceaccount.identity.{MESH_NAMESPACE}.{TRUST_DOMAIN}")
}

/// Every address of one demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    network: Network,
}

impl Topology {
    /// The addresses on this network.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    /// The calling workload.
    pub fn client(self) -> Workload {
        Workload {
            name: CLIENT.to_owned(),
            account: CLIENT,
            ip: self.network.host(1),
        }
    }

    /// The replicas of the service, `web-0` first.
    pub fn replicas(self) -> impl Iterator<Item = Workload> {
        (0..REPLICAS).map(move |index| self.replica(index))
    }

    /// The replica with this number.
    pub fn replica(self, index: u8) -> Workload {
        Workload {
            name: replica_name(index),
            account: SERVICE,
            ip: self.network.host(index + 2),
        }
    }

    /// The client, then the replicas.
    pub fn workloads(self) -> impl Iterator<Item = Workload> {
        std::iter::once(self.client()).chain(self.replicas())
    }

    /// Address of the control plane with this port.
    pub fn control_plane(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.network.host(250), port)
    }

    /// The address that stands for the service (nothing listens there: there is no kube-proxy).
    pub(crate) fn cluster_ip(self) -> IpAddr {
        self.network.host(200)
    }
}

/// Name of the replica with this number.
pub(crate) fn replica_name(index: u8) -> String {
    format!("{SERVICE}-{index}")
}

/// The service's authority as a client writes it.
pub fn authority(port: u16) -> String {
    format!("{SERVICE}.{NAMESPACE}.svc.{TRUST_DOMAIN}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_have_addresses_of_their_own() {
        let topology = Topology::new("127.0.1".parse().unwrap());
        let addrs: Vec<_> = topology
            .workloads()
            .map(|w| w.addr(port::INBOUND).to_string())
            .collect();
        assert_eq!(addrs.len(), 6);
        assert_eq!(addrs[0], "127.0.1.1:4143");
        assert_eq!(addrs[5], "127.0.1.6:4143");
    }

    #[test]
    fn identity_is_as_the_proxies_write_it() {
        let topology = Topology::new("127.0.1".parse().unwrap());
        assert_eq!(
            topology.client().identity(),
            "client.demo.serviceaccount.identity.mesh.cluster.local"
        );
    }

    #[test]
    fn a_network_is_three_octets_of_loopback() {
        for bad in [
            "",
            "127.0",
            "127.0.1.0",
            "10.0.1",
            "127.0.300",
            "127.0.x",
            "localhost",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert_eq!("127.9.8".parse::<Network>().unwrap().to_string(), "127.9.8");
    }
}
