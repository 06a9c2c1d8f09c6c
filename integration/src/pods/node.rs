//! The node that pods are on: forwards between them, and does kube-proxy's part.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU16, Ordering};

use parking_lot::Mutex;

use super::cluster::Families;
use super::dns::{self, Dns};
use super::netns::Netns;

/// The node's address on every link.
const GATEWAY: (&str, &str) = ("10.1.0.1", "fd00:1::1");

/// One port of a service, and where its connections go.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    pub(super) service: IpAddr,
    pub(super) port: u16,
    pub(super) target_port: u16,
    pub(super) pods: Vec<IpAddr>,
}

/// A network namespace between all pods.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) netns: Netns,
    pub(super) dns: Dns,
    pub(super) families: Families,
    forwards: Mutex<Vec<Forward>>,
    next: AtomicU16,
}

impl Node {
    pub(super) fn create(cluster: &str, families: Families) -> Self {
        let netns = Netns::create(&format!("{cluster}-node"));
        netns.set(&[
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/forwarding", "1"),
            // One pod's links are all the node has: nothing to tell anyone, nothing to detect.
            ("ipv6/conf/default/accept_dad", "0"),
        ]);
        let (v4, v6) = dns::ADDRESSES;
        netns.ip(&format!(
            "link set lo up\naddr add {v4}/32 dev lo\naddr add {v6}/128 dev lo nodad\n"
        ));
        Self {
            dns: Dns::start(&netns),
            netns,
            families,
            forwards: Mutex::default(),
            next: AtomicU16::new(2),
        }
    }

    /// A number that no other pod or service of this cluster has.
    pub(super) fn number(&self) -> u16 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The addresses of the pod with this number.
    pub(super) fn pod_ips(&self, number: u16) -> Vec<IpAddr> {
        self.ips([10, 1], 1, number)
    }

    /// The addresses of the service with this number.
    pub(super) fn service_ips(&self, number: u16) -> Vec<IpAddr> {
        self.ips([10, 96], 0x96, number)
    }

    fn ips(&self, v4: [u8; 2], v6: u16, number: u16) -> Vec<IpAddr> {
        let [high, low] = number.to_be_bytes();
        let v4 = Ipv4Addr::new(v4[0], v4[1], high, low);
        let v6 = Ipv6Addr::new(0xfd00, v6, 0, 0, 0, 0, 0, number);
        match self.families {
            Families::V4 => vec![v4.into()],
            Families::V6 => vec![v6.into()],
            Families::Dual => vec![v4.into(), v6.into()],
        }
    }

    /// Name of the node's end of a pod's link.
    pub(super) fn link(pod: &Netns) -> String {
        let number = pod.name().rsplit('-').next().unwrap_or_default();
        format!("pod{number}")
    }

    /// Links a pod to this node, through `relay` if there is one, and gives it these addresses.
    pub(super) fn attach(&self, pod: &Netns, ips: &[IpAddr], relay: Option<&Netns>) {
        let link = Self::link(pod);
        pod.set(&[
            ("ipv6/conf/default/accept_dad", "0"),
            // Applications of any uid listen where their users expect it.
            ("ipv4/ip_unprivileged_port_start", "0"),
        ]);
        let (v4, v6) = GATEWAY;
        let (peer, peer_name) = relay.map_or((pod, "eth0"), |relay| (relay, "near"));
        let mut here = format!(
            "link add {link} type veth peer name {peer_name} netns {}\n",
            peer.name()
        );
        if let Some(relay) = relay {
            relay.ip(&format!(
                "link add far type veth peer name eth0 netns {}\n",
                pod.name()
            ));
        }
        here += &format!("addr add {v4}/32 dev {link}\naddr add {v6}/128 dev {link} nodad\n");
        here += &format!("link set {link} up\n");
        let mut there = "link set lo up\nlink set eth0 up\n".to_owned();
        for ip in ips {
            let (length, gateway, nodad) = match ip {
                IpAddr::V4(_) => (32, v4, ""),
                IpAddr::V6(_) => (128, v6, " nodad"),
            };
            writeln!(here, "route add {ip}/{length} dev {link}").unwrap();
            writeln!(there, "addr add {ip}/{length} dev eth0{nodad}").unwrap();
            writeln!(there, "route add {gateway} dev eth0").unwrap();
            writeln!(there, "route add default via {gateway} dev eth0").unwrap();
        }
        self.netns.ip(&here);
        pod.ip(&there);
        if let Some(relay) = relay {
            relay.ip("link set near up\nlink set far up\n");
        }
    }

    /// Sends connections to a port of a service to its pods, instead of where they went before.
    pub(super) fn forward(&self, forward: Forward) {
        let mut forwards = self.forwards.lock();
        forwards.retain(|each| (each.service, each.port) != (forward.service, forward.port));
        forwards.push(forward);
        let rules: String = forwards.iter().filter_map(rule).collect();
        // A pod that reaches itself would take its own address for a forgery, so it sees the node's.
        self.netns.nft(&format!(
            "table inet services\ndelete table inet services\ntable inet services {{
                chain to {{ type nat hook prerouting priority dstnat;\n{rules}}}
                chain back {{ type nat hook postrouting priority srcnat;\n{}}}
            }}\n",
            hairpins(&forwards)
        ));
    }
}

/// None for a service without pods: its packets are lost, as everywhere.
fn rule(forward: &Forward) -> Option<String> {
    let Forward {
        service,
        port,
        target_port,
        pods,
    } = forward;
    let family = family(*service);
    let matching = format!("{family} daddr {service} tcp dport {port}");
    let targets = pods
        .iter()
        .enumerate()
        .map(|(i, pod)| format!("{i} : {pod} . {target_port}"));
    let targets: Vec<String> = targets.collect();
    let count = pods.len();
    (count > 0).then(|| {
        format!(
            "{matching} dnat {family} addr . port to numgen random mod {count} map {{ {} }}\n",
            targets.join(", ")
        )
    })
}

fn hairpins(forwards: &[Forward]) -> String {
    let pods = forwards.iter().flat_map(|forward| &forward.pods);
    pods.map(|pod| {
        let family = family(*pod);
        format!("ct status dnat {family} saddr {pod} {family} daddr {pod} masquerade\n")
    })
    .collect()
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "ip" } else { "ip6" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread_over_pods() {
        let forward = Forward {
            service: "10.96.0.5".parse().unwrap(),
            port: 80,
            target_port: 8080,
            pods: ["10.1.0.6", "10.1.0.7"]
                .map(|ip| ip.parse().unwrap())
                .into(),
        };
        assert_eq!(
            rule(&forward).unwrap(),
            "ip daddr 10.96.0.5 tcp dport 80 dnat ip addr . port to numgen random mod 2 \
             map { 0 : 10.1.0.6 . 8080, 1 : 10.1.0.7 . 8080 }\n"
        );
        let pods = Vec::new();
        assert_eq!(rule(&Forward { pods, ..forward }), None);
    }
}
