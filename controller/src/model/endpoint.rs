//! One endpoint: its weight, labels, and what its proxy can do.

use super::{Index, object::Pod};
use std::{collections::BTreeMap, net::SocketAddr};

/// The weight of an ordinary endpoint: 1.0 in the API's unit.
pub(crate) const WEIGHT: u32 = 10_000;

/// What a client needs to know of an endpoint besides its address.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Endpoint {
    /// In ten-thousandths.
    pub(crate) weight: u32,
    pub(crate) labels: BTreeMap<&'static str, String>,
    /// The workload's owner, for metrics: its label name is the owner's kind.
    pub(crate) owner: Option<(String, String)>,
    pub(crate) mesh: Option<Meshed>,
}

/// What the proxy beside an endpoint offers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Meshed {
    /// Its name in certificates; `None` under another control plane, whose
    /// certificates we cannot check.
    pub(crate) identity: Option<String>,
    /// The port carries bytes that are not to be parsed.
    pub(crate) opaque: bool,
    /// The proxy takes HTTP/1 carried over HTTP/2.
    pub(crate) h2_upgrade: bool,
    pub(crate) inbound_port: u16,
}

/// Where an endpoint is, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locality {
    Local,
    Remote,
    Unknown,
}

impl Locality {
    pub(super) fn of(client: Option<&str>, endpoint: Option<&str>) -> Self {
        match (client, endpoint) {
            (Some(client), Some(endpoint)) if client == endpoint => Self::Local,
            (Some(_), Some(_)) => Self::Remote,
            _ => Self::Unknown,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Unknown => "unknown",
        }
    }
}

impl Index {
    /// An endpoint of a service, or (without `locality`) one asked for by its
    /// own address.
    pub(super) fn endpoint(
        &self,
        pod: Option<&Pod>,
        address: SocketAddr,
        zone: Option<&str>,
        locality: Option<Locality>,
    ) -> Endpoint {
        let mut labels = BTreeMap::from([("zone", zone.unwrap_or_default().to_owned())]);
        if let Some(locality) = locality {
            labels.insert("zone_locality", locality.label().to_owned());
        }
        if let Some(pod) = pod {
            labels.extend(pod_labels(pod));
        }
        let local = locality == Some(Locality::Local);
        Endpoint {
            weight: match self.settings.prefer_local_zone && local {
                true => WEIGHT * 10,
                false => WEIGHT,
            },
            labels,
            owner: pod.and_then(|pod| pod.owner.clone()),
            mesh: pod.and_then(|pod| self.meshed(pod, address.port())),
        }
    }

    fn meshed(&self, pod: &Pod, port: u16) -> Option<Meshed> {
        let proxy = pod.proxy.as_ref()?;
        if proxy.skip_inbound.contains(port) {
            return None;
        }
        let ours = proxy.control_plane == self.settings.identity_namespace;
        Some(Meshed {
            identity: ours.then(|| self.identity(pod)),
            opaque: self.pod_port_is_opaque(pod, port),
            h2_upgrade: self.settings.h2_upgrade,
            inbound_port: proxy.inbound_port,
        })
    }

    /// The workload's name in certificates (design.md 9).
    fn identity(&self, pod: &Pod) -> String {
        format!(
            "{}.{}.serviceaccount.identity.{}.{}",
            pod.service_account,
            pod.namespace,
            self.settings.identity_namespace,
            self.settings.trust_domain
        )
    }
}

fn pod_labels(pod: &Pod) -> impl Iterator<Item = (&'static str, String)> {
    let proxy = pod.proxy.as_ref();
    let control_plane = proxy.map(|proxy| ("control_plane_ns", proxy.control_plane.clone()));
    let hash = pod.labels.get("pod-template-hash");
    let hash = hash.map(|hash| ("pod_template_hash", hash.clone()));
    let named = [
        ("pod", pod.name.clone()),
        ("serviceaccount", pod.service_account.clone()),
    ];
    named.into_iter().chain(control_plane).chain(hash)
}
