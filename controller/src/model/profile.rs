//! What a client is told about a target before it knows any endpoint.
//!
//! The older of Linkerd's two discovery answers: proxies ask for it on each
//! new connection, by address or by name, and take from it whether the target
//! is a service or a single endpoint, and whether its protocol is opaque.

use super::{
    Index,
    authority::ServiceName,
    endpoint::Endpoint,
    object::Service,
    query::{Dependency, Query},
};
use std::net::{IpAddr, SocketAddr};

/// The target of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ProfileQuery {
    Address(SocketAddr),
    Service(ServiceName),
}

/// What the target is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ProfileView {
    Service {
        namespace: String,
        name: String,
        port: u16,
        opaque: bool,
    },
    /// A pod of ours.
    Pod {
        namespace: String,
        address: SocketAddr,
        endpoint: Endpoint,
        opaque: bool,
    },
    /// An address that we know nothing about.
    Unknown { address: SocketAddr },
}

impl Query for ProfileQuery {
    type View = ProfileView;

    fn view(&self, index: &Index) -> Option<ProfileView> {
        match self {
            Self::Address(address) => Some(at_address(index, *address)),
            Self::Service(name) => named(index, name),
        }
    }

    fn dependency(&self, index: &Index) -> Dependency {
        match self {
            Self::Service(name) => {
                let mut dependency = Dependency::service(&name.namespace, &name.name);
                if let Some(address) = name.hostname.as_ref().and_then(|_| address(index, name)) {
                    let at = of_address(index, address.ip());
                    dependency.objects.extend(at.objects);
                    dependency.address = at.address;
                }
                dependency
            }
            Self::Address(address) => of_address(index, address.ip()),
        }
    }
}

fn of_address(index: &Index, ip: IpAddr) -> Dependency {
    let service = index.service_at(ip);
    let service = service.map(|s| Dependency::service(&s.namespace, &s.name));
    let pod = || {
        index
            .pod_at(ip)
            .map(|p| Dependency::pod(&p.namespace, &p.name))
    };
    service.or_else(pod).unwrap_or_default().at(ip)
}

fn at_address(index: &Index, address: SocketAddr) -> ProfileView {
    if let Some(service) = index.service_at(address.ip()) {
        return of_service(index, service, address.port());
    }
    match index.pod_at(address.ip()) {
        None => ProfileView::Unknown { address },
        Some(pod) => ProfileView::Pod {
            namespace: pod.namespace.to_string(),
            address,
            endpoint: index.endpoint(Some(pod), address, None, None),
            opaque: index.pod_port_is_opaque(pod, address.port()),
        },
    }
}

fn named(index: &Index, name: &ServiceName) -> Option<ProfileView> {
    let service = index.service(&name.namespace, &name.name)?;
    if service.external {
        return None;
    }
    match &name.hostname {
        None => Some(of_service(index, service, name.port)),
        Some(_) => Some(at_address(index, address(index, name)?)),
    }
}

/// One pod of a headless service, whether it is ready or not: the client has
/// asked for this one and no other.
fn address(index: &Index, name: &ServiceName) -> Option<SocketAddr> {
    let service = index.service(&name.namespace, &name.name)?;
    index.slices(service).find_map(|slice| {
        let target = slice.target_port(service.port(name.port), name.port)?;
        let mut endpoints = slice.endpoints.iter();
        let endpoint = endpoints.find(|e| e.hostname.as_deref() == name.hostname.as_deref())?;
        Some(SocketAddr::new(*endpoint.addresses.first()?, target))
    })
}

fn of_service(index: &Index, service: &Service, port: u16) -> ProfileView {
    ProfileView::Service {
        namespace: service.namespace.clone(),
        name: service.name.clone(),
        port,
        opaque: index.service_port_is_opaque(service, port),
    }
}
