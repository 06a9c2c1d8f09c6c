//! A cluster that is nothing but numbers: names, addresses and manifests follow from an object's index.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;

use super::pod;
use super::template::Template;

/// The service that every proxy watches.
pub const COMMON: usize = 0;
/// Where services listen, and their pods.
pub const PORT: u16 = 80;
const TARGET_PORT: u16 = 8080;
/// The ports whose policy a pod's proxy asks for: the application's, and that of its metrics.
pub const INBOUND_PORTS: [u16; 2] = [TARGET_PORT, 9091];
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
const DOMAIN: &str = "svc.cluster.local";

/// How much there is of everything.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Each with one slice and a cluster IP.
    pub services: usize,
    /// Endpoints of each service, every one a pod of its own with a proxy.
    pub endpoints: usize,
    /// Services are spread over them.
    pub namespaces: usize,
    /// Pods are spread over them, and they over three zones.
    pub nodes: usize,
    /// Proxies that watch; the others are with other replicas of the controller.
    pub proxies: usize,
    /// Services that a proxy sends to: the one all send to, and others.
    pub targets: usize,
}

impl Shape {
    /// None of anything, for what a controller takes by itself.
    pub const EMPTY: Self = Self {
        services: 0,
        endpoints: 0,
        namespaces: 0,
        nodes: 0,
        proxies: 0,
        targets: 0,
    };

    /// All pods, each an endpoint.
    #[must_use]
    pub const fn pods(&self) -> usize {
        self.services * self.endpoints
    }

    /// Streams of all proxies.
    #[must_use]
    pub const fn streams(&self) -> usize {
        self.proxies * (self.targets * 4 + INBOUND_PORTS.len())
    }

    /// The pod of a proxy: proxies are spread over services.
    #[must_use]
    pub const fn pod_of(&self, proxy: usize) -> usize {
        proxy * self.pods() / self.proxies
    }

    /// The services that a proxy sends to. All but the common one have the same number of watchers, give or take one.
    #[must_use]
    pub fn targets_of(&self, proxy: usize) -> Vec<usize> {
        let others = self.targets - 1;
        let others = (0..others).map(|nth| 1 + (proxy * others + nth) % (self.services - 1));
        std::iter::once(COMMON).chain(others).collect()
    }

    /// How many proxies send to a service.
    #[must_use]
    pub fn watchers_of(&self, service: usize) -> usize {
        let proxies = 0..self.proxies;
        proxies
            .filter(|proxy| self.targets_of(*proxy).contains(&service))
            .count()
    }

    fn namespace_of(&self, service: usize) -> String {
        namespace(service % self.namespaces)
    }

    /// The name that a proxy asks for.
    #[must_use]
    pub fn authority(&self, service: usize) -> String {
        let namespace = self.namespace_of(service);
        format!("{}.{namespace}.{DOMAIN}:{PORT}", service_name(service))
    }

    /// What a proxy says of itself, as `ns`, `pod` and node.
    #[must_use]
    pub fn workload(&self, pod: usize) -> (String, String, String) {
        let namespace = self.namespace_of(pod / self.endpoints);
        (namespace, self.pod_name(pod), self.node_of(pod))
    }

    fn pod_name(&self, pod: usize) -> String {
        let deployment = service_name(pod / self.endpoints);
        format!("{deployment}-{}-{:05}", pod::HASH, pod)
    }

    fn node_of(&self, pod: usize) -> String {
        node_name(pod % self.nodes)
    }

    /// A namespace's metadata.
    #[must_use]
    pub fn namespace(&self, index: usize) -> String {
        let name = namespace(index);
        metadata(
            json!({"name": name, "annotations": {"mesh.dev/inject": "enabled"},
            "labels": {"kubernetes.io/metadata.name": name}}),
        )
    }

    /// A node's metadata.
    #[must_use]
    pub fn node(&self, index: usize) -> String {
        let name = node_name(index);
        let labels =
            json!({"topology.kubernetes.io/zone": zone(index), "kubernetes.io/hostname": name});
        metadata(json!({"name": name, "labels": labels}))
    }

    /// A Service.
    #[must_use]
    pub fn service(&self, index: usize) -> String {
        let (name, ip) = (service_name(index), cluster_ip(index));
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": self.namespace_of(index), "resourceVersion": "1",
                "uid": uid('a', index), "labels": {"app": name}, "managedFields": pod::managed_fields()},
            "spec": {"clusterIP": ip, "clusterIPs": [ip], "type": "ClusterIP", "selector": {"app": name},
                "ports": [{"name": "http", "port": PORT, "protocol": "TCP", "targetPort": "http"},
                    {"name": "metrics", "port": 9091, "protocol": "TCP", "targetPort": 9091}]},
            "status": {"loadBalancer": {}}})
        .to_string()
    }

    /// An EndpointSlice; whether its last endpoint is ready is what changes.
    #[must_use]
    pub fn slice(&self, index: usize, last_ready: bool, version: u64) -> String {
        let service = service_name(index);
        let endpoint = |nth: usize| {
            let pod = index * self.endpoints + nth;
            let ready = last_ready || nth + 1 < self.endpoints;
            json!({"addresses": [pod_ip(pod)], "nodeName": self.node_of(pod), "zone": zone(pod % self.nodes),
                "conditions": {"ready": ready, "serving": ready, "terminating": false},
                "targetRef": {"kind": "Pod", "name": self.pod_name(pod), "namespace": self.namespace_of(index),
                    "uid": uid('b', pod)}})
        };
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": format!("{service}-x7k2p"), "namespace": self.namespace_of(index),
                "resourceVersion": version.to_string(), "uid": uid('c', index),
                "labels": {"kubernetes.io/service-name": service, "app": service,
                    "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
                "managedFields": pod::managed_fields()},
            "ports": [{"name": "http", "port": TARGET_PORT, "protocol": "TCP"},
                {"name": "metrics", "port": 9091, "protocol": "TCP"}],
            "endpoints": (0..self.endpoints).map(endpoint).collect::<Vec<_>>()})
        .to_string()
    }

    /// A Pod, of a template with the names of [`pod::template`].
    #[must_use]
    pub fn pod(&self, template: &Template, pod: usize, version: u64) -> String {
        let service = pod / self.endpoints;
        template.render(|name| match name {
            "app" => service_name(service),
            "ip" => pod_ip(pod).to_string(),
            "name" => self.pod_name(pod),
            "namespace" => self.namespace_of(service),
            "node" => self.node_of(pod),
            "uid" => uid('b', pod),
            _ => version.to_string(),
        })
    }
}

fn metadata(metadata: serde_json::Value) -> String {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata})
        .to_string()
}

pub(super) fn namespace(index: usize) -> String {
    format!("team-{index:02}")
}

fn node_name(index: usize) -> String {
    format!("ip-10-1-{index:03}.eu-central-1.compute.internal")
}

fn zone(node: usize) -> &'static str {
    ZONES[node % ZONES.len()]
}

fn service_name(index: usize) -> String {
    format!("checkout-{index:04}")
}

fn uid(kind: char, index: usize) -> String {
    format!("{kind}0f1e2d3-0000-4000-8000-{index:012}")
}

fn numbered(network: Ipv4Addr, index: usize) -> Ipv4Addr {
    let index = u32::try_from(index).expect("fewer objects than addresses");
    Ipv4Addr::from_bits(network.to_bits() + index + 1)
}

fn pod_ip(pod: usize) -> Ipv4Addr {
    numbered(Ipv4Addr::new(10, 64, 0, 0), pod)
}

fn cluster_ip(service: usize) -> Ipv4Addr {
    numbered(Ipv4Addr::new(172, 20, 0, 0), service)
}

/// Where connections to a service go.
#[must_use]
pub fn service_address(service: usize) -> SocketAddr {
    (cluster_ip(service), PORT).into()
}

/// The endpoint of a service that comes and goes.
#[must_use]
pub fn last_endpoint(shape: &Shape, service: usize) -> SocketAddr {
    let pod = (service + 1) * shape.endpoints - 1;
    (pod_ip(pod), TARGET_PORT).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_watch_one_service_and_share_the_others_evenly() {
        let shape = Shape {
            services: 101,
            endpoints: 3,
            namespaces: 4,
            nodes: 5,
            proxies: 50,
            targets: 5,
        };
        assert_eq!(shape.watchers_of(COMMON), 50);
        assert!((1..101).all(|service| shape.watchers_of(service) == 2));
        assert_eq!(shape.streams(), 50 * 22);
        assert!(shape.pod_of(49) < shape.pods());
    }
}
