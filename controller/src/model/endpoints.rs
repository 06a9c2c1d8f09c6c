//! The endpoints of a service port, as one client should see them.
//!
//! The steps are Linkerd's, in its order (features.md 4.1): ready endpoints,
//! the pod asked for by hostname, those on the client's node when the service
//! is local, those whose hints name the client's zone, and of two addresses of
//! one pod the IPv6 one. Hints are dropped as a whole when an endpoint has none
//! or when they would leave nothing: they are a wish for cheap traffic, never a
//! reason for an outage.

use super::{
    Index,
    authority::ServiceName,
    endpoint::{Endpoint, Locality},
    object::{Pod, Service, ServicePort, Slice, SliceEndpoint},
    query::{Dependency, Query},
};
use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

/// The endpoints of one service port for clients on one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EndpointsQuery {
    pub(crate) service: ServiceName,
    /// Where the client runs, if it said so.
    pub(crate) node: Option<String>,
}

/// The answer: a set of endpoints by address.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EndpointsView {
    pub(crate) namespace: String,
    pub(crate) service: String,
    /// The service is a DNS alias: it has no endpoints of its own.
    pub(crate) external: bool,
    pub(crate) endpoints: BTreeMap<SocketAddr, Endpoint>,
}

impl Query for EndpointsQuery {
    type View = EndpointsView;

    fn view(&self, index: &Index) -> Option<EndpointsView> {
        let ServiceName {
            namespace, name, ..
        } = &self.service;
        let service = index.service(namespace, name)?;
        let endpoints = match service.external {
            true => BTreeMap::new(),
            false => self.endpoints(index, service),
        };
        Some(EndpointsView {
            namespace: namespace.clone(),
            service: name.clone(),
            external: service.external,
            endpoints,
        })
    }

    fn dependency(&self, _: &Index) -> Dependency {
        Dependency::service(&self.service.namespace, &self.service.name)
    }
}

/// An endpoint that may be chosen, still as its slice has it.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    endpoint: &'a SliceEndpoint,
    address: SocketAddr,
}

impl EndpointsQuery {
    fn endpoints(&self, index: &Index, service: &Service) -> BTreeMap<SocketAddr, Endpoint> {
        let zone = index.zone_of(self.node.as_deref());
        let mut candidates = self.candidates(index, service);
        if service.node_local {
            candidates.retain(|c| {
                let node = c.endpoint.node.as_deref();
                node.is_some() && node == self.node.as_deref()
            });
        }
        if let Some(zone) = zone {
            prefer_hinted(&mut candidates, zone);
        }
        select_family(&mut candidates, index.settings.ipv6);
        let resolved = candidates
            .into_iter()
            .map(|Candidate { endpoint, address }| {
                let pod = index.pod_behind(endpoint, &service.namespace);
                let locality = Locality::of(zone, endpoint.zone.as_deref());
                (
                    address,
                    index.endpoint(pod, address, endpoint.zone.as_ref(), Some(locality)),
                )
            });
        resolved.collect()
    }

    fn candidates<'a>(&self, index: &'a Index, service: &Service) -> Vec<Candidate<'a>> {
        let port = service.port(self.service.port);
        let mut candidates = Vec::new();
        for slice in index.slices(service) {
            let Some(target) = slice.target_port(port, self.service.port) else {
                continue;
            };
            let ready = slice.endpoints.iter().filter(|endpoint| {
                endpoint.ready && !index.awaits_pod_of(endpoint, &service.namespace)
            });
            let asked = ready.filter(|endpoint| match &self.service.hostname {
                None => true,
                Some(hostname) => endpoint.hostname.as_deref() == Some(hostname),
            });
            candidates.extend(asked.flat_map(|endpoint| {
                let address = |ip: &_| SocketAddr::new(*ip, target);
                let addresses = endpoint.addresses.iter().map(address);
                addresses.map(move |address| Candidate { endpoint, address })
            }));
        }
        candidates
    }
}

impl Index {
    fn pod_behind(&self, endpoint: &SliceEndpoint, namespace: &str) -> Option<&Arc<Pod>> {
        self.pod(namespace, endpoint.pod.as_deref()?)
    }

    /// Slices and pods are watched apart, so a slice may be ahead of the pod that it
    /// names. Taken as it is, the endpoint would be one without a proxy, or with the
    /// identity of an earlier pod of the same name; so it waits. Only the API server
    /// says which pod of a name is meant: manifests are taken as written.
    fn awaits_pod_of(&self, endpoint: &SliceEndpoint, namespace: &str) -> bool {
        let Some(uid) = &endpoint.pod_uid else {
            return false;
        };
        let pod = self.pod_behind(endpoint, namespace);
        pod.is_none_or(|pod| pod.uid.as_ref().is_some_and(|known| known != uid))
    }
}

impl Slice {
    /// The number that a service port has in this slice. A port that the
    /// service does not define is taken as the endpoints' own, as Linkerd.
    pub(super) fn target_port(&self, port: Option<&ServicePort>, number: u16) -> Option<u16> {
        match port {
            None => Some(number),
            Some(port) => {
                let named = self.ports.iter().find(|(name, _)| *name == port.name);
                named.map(|(_, number)| *number)
            }
        }
    }
}

fn prefer_hinted(candidates: &mut Vec<Candidate<'_>>, zone: &str) {
    if candidates
        .iter()
        .any(|candidate| candidate.endpoint.hints.is_empty())
    {
        return;
    }
    let hinted = |candidate: &Candidate<'_>| candidate.endpoint.hints.iter().any(|z| **z == *zone);
    if candidates.iter().any(hinted) {
        candidates.retain(hinted);
    }
}

/// Of a pod with addresses of both families, keeps those of one: IPv6 where it
/// is enabled. An address without a pod is kept unless its family is off.
fn select_family(candidates: &mut Vec<Candidate<'_>>, ipv6: bool) {
    if !ipv6 {
        candidates.retain(|candidate| candidate.address.is_ipv4());
        return;
    }
    let with_ipv6 = candidates.iter().filter(|c| c.address.is_ipv6());
    let with_ipv6: HashSet<_> = with_ipv6
        .filter_map(|c| c.endpoint.pod.as_deref())
        .collect();
    candidates.retain(|candidate| {
        let pod = candidate.endpoint.pod.as_deref();
        candidate.address.is_ipv6() || !pod.is_some_and(|pod| with_ipv6.contains(pod))
    });
}
