//! One endpoint: its weight, labels, and what its proxy can do.
//!
//! Thousands of watches have an endpoint in their answer, so here it only refers to
//! its pod; names and labels are put together when a message is made of it.

use super::{
    Index,
    object::{Pod, PodTemplate},
};
use std::{net::SocketAddr, sync::Arc};

/// The weight of an ordinary endpoint: 1.0 in the API's unit.
pub(crate) const WEIGHT: u32 = 10_000;

/// What a client needs to know of an endpoint besides its address.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// In ten-thousandths.
    pub(crate) weight: u32,
    pub(crate) zone: Option<Arc<str>>,
    /// Without it, the endpoint was asked for by its own address.
    pub(crate) locality: Option<Locality>,
    pub(crate) pod: Option<Arc<Pod>>,
    pub(crate) mesh: Option<Meshed>,
}

/// What the proxy beside an endpoint offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meshed {
    /// What follows service account and namespace in its name; `None` under another
    /// control plane, whose certificates we cannot check.
    pub(crate) identities: Option<Arc<str>>,
    /// The port carries bytes that are not to be parsed.
    pub(crate) opaque: bool,
    /// The proxy takes HTTP/1 carried over HTTP/2.
    pub(crate) h2_upgrade: bool,
    pub(crate) inbound_port: u16,
}

/// Two are equal when clients are told the same of them: much of a pod is not told.
impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.weight == other.weight
            && self.zone == other.zone
            && self.locality == other.locality
            && self.mesh == other.mesh
            && match (&self.pod, &other.pod) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b) || told(a) == told(b),
                (a, b) => a.is_none() && b.is_none(),
            }
    }
}

/// What clients are told of a pod.
fn told(pod: &Pod) -> impl PartialEq {
    let template = &*pod.template;
    let proxy = template.proxy.as_ref();
    (
        &pod.namespace,
        &pod.name,
        &template.service_account,
        &template.owner,
        proxy.map(|proxy| &proxy.control_plane),
        hash(template),
    )
}

fn hash(template: &PodTemplate) -> Option<&str> {
    let hash = template.labels.get("pod-template-hash");
    hash.map(String::as_str)
}

impl Endpoint {
    /// For metrics.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let zone = ("zone", self.zone.as_deref().unwrap_or_default());
        let locality = self
            .locality
            .map(|locality| ("zone_locality", locality.label()));
        let pod = self.pod.as_deref().into_iter().flat_map(pod_labels);
        std::iter::once(zone).chain(locality).chain(pod)
    }

    /// The workload's name in certificates (design.md 9).
    pub(crate) fn identity(&self) -> Option<String> {
        let identities = self.mesh.as_ref()?.identities.as_ref()?;
        let pod = self.pod.as_ref()?;
        let account = &pod.template.service_account;
        Some(format!("{account}.{}.{identities}", pod.namespace))
    }
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
        pod: Option<&Arc<Pod>>,
        address: SocketAddr,
        zone: Option<&Arc<str>>,
        locality: Option<Locality>,
    ) -> Endpoint {
        let local = locality == Some(Locality::Local);
        Endpoint {
            weight: match self.settings.prefer_local_zone && local {
                true => WEIGHT * 10,
                false => WEIGHT,
            },
            zone: zone.cloned(),
            locality,
            pod: pod.cloned(),
            mesh: pod.and_then(|pod| self.meshed(pod, address.port())),
        }
    }

    fn meshed(&self, pod: &Pod, port: u16) -> Option<Meshed> {
        let proxy = pod.template.proxy.as_ref()?;
        if proxy.skip_inbound.contains(port) {
            return None;
        }
        let ours = proxy.control_plane == self.settings.identity_namespace;
        Some(Meshed {
            identities: ours.then(|| self.identities.clone()),
            opaque: self.pod_port_is_opaque(pod, port),
            h2_upgrade: self.settings.h2_upgrade,
            inbound_port: proxy.inbound_port,
        })
    }
}

fn pod_labels(pod: &Pod) -> impl Iterator<Item = (&str, &str)> {
    let template = &*pod.template;
    let owner = template.owner.as_ref();
    let proxy = template.proxy.as_ref();
    let named = [
        ("pod", &*pod.name),
        ("serviceaccount", &*template.service_account),
    ];
    named
        .into_iter()
        .chain(proxy.map(|proxy| ("control_plane_ns", &*proxy.control_plane)))
        .chain(hash(template).map(|hash| ("pod_template_hash", hash)))
        // The label's name is the owner's kind.
        .chain(owner.map(|(kind, name)| (kind.as_str(), name.as_str())))
}
