//! What a client's proxy does with connections to a target.
//!
//! A service gets one default route per protocol to a balancer over its
//! endpoints; Gateway API routes will replace that default here. An address in
//! the cluster networks that is no service is left to the profile (NotFound);
//! one outside is forwarded as it is, so that a mesh never stands between a
//! workload and the rest of the world by default.

use super::{
    Index,
    authority::ServiceName,
    object::{AppProtocol, Service},
    query::{Dependency, Query},
    tuning::Tuning,
};
use std::net::SocketAddr;

/// The target of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OutboundQuery {
    Address(SocketAddr),
    /// The hostname part plays no role: policy belongs to the service.
    Service(ServiceName),
}

/// The policy for a target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OutboundView {
    Service(ServicePolicy),
    /// An address outside the cluster.
    Forward(SocketAddr),
}

/// The policy for a port of a service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServicePolicy {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
    pub(crate) tuning: Tuning,
}

/// How connections to a service port are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Detect,
    Http1,
    Http2,
    Opaque,
    /// The service does not define the port: no connection is let through.
    Undefined,
}

impl Query for OutboundQuery {
    type View = OutboundView;

    fn view(&self, index: &Index) -> Option<OutboundView> {
        match self {
            Self::Service(name) => {
                let service = index.service(&name.namespace, &name.name)?;
                let policy = || OutboundView::Service(policy(index, service, name.port));
                (!service.external).then(policy)
            }
            Self::Address(address) => {
                if let Some(service) = index.service_at(address.ip()) {
                    return Some(OutboundView::Service(policy(
                        index,
                        service,
                        address.port(),
                    )));
                }
                let ip = address.ip();
                let inside = index.pod_at(ip).is_some()
                    || index
                        .settings
                        .cluster_networks
                        .iter()
                        .any(|net| net.contains(&ip));
                (!inside).then_some(OutboundView::Forward(*address))
            }
        }
    }

    fn dependency(&self, index: &Index) -> Dependency {
        match self {
            Self::Service(name) => Dependency::service(&name.namespace, &name.name),
            Self::Address(address) => {
                let service = index.service_at(address.ip());
                let service = service.map(|s| Dependency::service(&s.namespace, &s.name));
                service.unwrap_or_default().at(address.ip())
            }
        }
    }
}

fn policy(index: &Index, service: &Service, port: u16) -> ServicePolicy {
    let protocol = match service.port(port).map(|port| port.protocol) {
        None => Protocol::Undefined,
        Some(_) if index.service_port_is_opaque(service, port) => Protocol::Opaque,
        Some(AppProtocol::Unset) => Protocol::Detect,
        Some(AppProtocol::Http1) => Protocol::Http1,
        Some(AppProtocol::Http2) => Protocol::Http2,
        Some(AppProtocol::Opaque) => Protocol::Opaque,
    };
    ServicePolicy {
        namespace: service.namespace.clone(),
        name: service.name.clone(),
        port,
        protocol,
        tuning: service.tuning.clone(),
    }
}
