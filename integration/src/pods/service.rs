//! Services: what the controller reads of them, what DNS answers, and what the node forwards.

use std::net::IpAddr;

use super::cluster::Cluster;
use super::manifests::{NAMESPACE, ServiceFacts};
use super::node::Forward;
use super::pod::Pod;

/// A service to be; [`ServiceBuilder::create`] makes it.
#[derive(Debug)]
pub struct ServiceBuilder<'a> {
    cluster: &'a Cluster,
    name: String,
    ports: Vec<(u16, u16)>,
    pods: Vec<Pod>,
    annotations: Vec<(String, String)>,
    headless: bool,
}

impl<'a> ServiceBuilder<'a> {
    pub(super) fn new(cluster: &'a Cluster, name: &str) -> Self {
        Self {
            cluster,
            name: name.to_owned(),
            ports: Vec::new(),
            pods: Vec::new(),
            annotations: Vec::new(),
            headless: false,
        }
    }

    /// A port, and the pods' port that it leads to.
    #[must_use]
    pub fn port(mut self, port: u16, target: u16) -> Self {
        self.ports.push((port, target));
        self
    }

    /// The pods that it is of.
    #[must_use]
    pub fn of(mut self, pods: &[&Pod]) -> Self {
        self.pods.extend(pods.iter().copied().cloned());
        self
    }

    /// Without an address: its name leads to its pods.
    #[must_use]
    pub fn headless(mut self) -> Self {
        self.headless = true;
        self
    }

    /// `config.mesh.dev/NAME: VALUE`.
    #[must_use]
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.annotations
            .push((format!("config.mesh.dev/{name}"), value.to_owned()));
        self
    }

    /// Makes it, or changes the one that is there, and waits until the controller knows it.
    /// Returns its addresses: none when headless.
    #[expect(clippy::must_use_candidate, reason = "its name is enough for most")]
    pub fn create(self) -> Vec<IpAddr> {
        let shared = self.cluster.shared();
        let ips = if self.headless {
            Vec::new()
        } else {
            shared.service_ips(&self.name)
        };
        let pods: Vec<_> = self
            .pods
            .iter()
            .map(|pod| (pod.name().to_owned(), pod.ips().to_vec()))
            .collect();
        shared.control.manifests().service(&ServiceFacts {
            name: &self.name,
            ips: &ips,
            ports: &self.ports,
            annotations: &self.annotations,
            pods: &pods,
        });
        let endpoints: Vec<IpAddr> = self
            .pods
            .iter()
            .flat_map(|pod| pod.ips().to_vec())
            .collect();
        for &service in &ips {
            for &(port, target_port) in &self.ports {
                let same = |ip: &&IpAddr| ip.is_ipv4() == service.is_ipv4();
                let pods = endpoints.iter().filter(same).copied().collect();
                shared.node.forward(Forward {
                    service,
                    port,
                    target_port,
                    pods,
                });
            }
        }
        let name = format!("{}.{NAMESPACE}.svc.cluster.local", self.name);
        let named = if self.headless {
            endpoints
        } else {
            ips.clone()
        };
        shared.node.dns.set(&name, named);
        shared.control.settle();
        ips
    }
}
