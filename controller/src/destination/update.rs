//! From what the client knows to what it should know, in API messages.
//!
//! The first message is a snapshot: additions, or `no_endpoints`, so that a
//! client never waits to learn that there is nothing (Linkerd stays silent).
//! Later messages say only what changed: an addition replaces what is known of
//! the addresses in it, so a changed endpoint is sent as one. Additions go
//! before removals, so that replacing all endpoints never leaves the client's
//! balancer empty in between.

use crate::{
    hub::Answer,
    model::{
        endpoint::{Endpoint, Meshed},
        endpoints::{EndpointsQuery, EndpointsView},
    },
};
use linkerd2_proxy_api::destination::{
    AddrSet, NoEndpoints, ProtocolHint, TlsIdentity, Update, WeightedAddr, WeightedAddrSet,
    protocol_hint::{H2, Opaque, OpaqueTransport, Protocol},
    tls_identity::{DnsLikeIdentity, Strategy},
    update::Update as Kind,
};
use std::{net::SocketAddr, sync::Arc};

/// The messages that lead from `last` to `answer`; `last` becomes `answer`.
///
/// A service that is gone is one without endpoints: it may be back in a
/// moment, and the client goes on watching.
pub(super) fn next(
    last: &mut Option<Arc<EndpointsView>>,
    answer: &Answer<EndpointsQuery>,
) -> Vec<Update> {
    let gone = || {
        let mut view = EndpointsView::clone(last.as_ref()?);
        view.endpoints.clear();
        Some(Arc::new(view))
    };
    let Some(new) = answer.clone().or_else(gone) else {
        return Vec::new();
    };
    let kinds = match last.as_deref() {
        None if new.endpoints.is_empty() => vec![Kind::NoEndpoints(NoEndpoints { exists: true })],
        None => vec![add(&new, |_, _| true)],
        Some(old) => changes(old, &new),
    };
    *last = Some(new);
    let update = |kind| Update { update: Some(kind) };
    kinds.into_iter().map(update).collect()
}

fn changes(old: &EndpointsView, new: &EndpointsView) -> Vec<Kind> {
    let differs = |at: &SocketAddr, endpoint: &Endpoint| old.endpoints.get(at) != Some(endpoint);
    let mut kinds = Vec::new();
    if new
        .endpoints
        .iter()
        .any(|(at, endpoint)| differs(at, endpoint))
    {
        kinds.push(add(new, differs));
    }
    let gone = old
        .endpoints
        .keys()
        .filter(|at| !new.endpoints.contains_key(at));
    let addrs: Vec<_> = gone.map(|at| (*at).into()).collect();
    if !addrs.is_empty() {
        kinds.push(Kind::Remove(AddrSet { addrs }));
    }
    kinds
}

fn add(view: &EndpointsView, which: impl Fn(&SocketAddr, &Endpoint) -> bool) -> Kind {
    let chosen = view
        .endpoints
        .iter()
        .filter(|(at, endpoint)| which(at, endpoint));
    let labels = [("namespace", &view.namespace), ("service", &view.service)];
    let labels = labels.into_iter().map(|(k, v)| (k.to_owned(), v.clone()));
    Kind::Add(WeightedAddrSet {
        addrs: chosen
            .map(|(at, endpoint)| weighted(*at, endpoint))
            .collect(),
        metric_labels: labels.collect(),
    })
}

/// One endpoint in the API's form.
pub(super) fn weighted(address: SocketAddr, endpoint: &Endpoint) -> WeightedAddr {
    let labels = endpoint.labels();
    WeightedAddr {
        addr: Some(address.into()),
        weight: endpoint.weight,
        metric_labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        tls_identity: endpoint.identity().map(identity),
        protocol_hint: endpoint.mesh.as_ref().map(hint),
        ..WeightedAddr::default()
    }
}

fn identity(name: String) -> TlsIdentity {
    let name = DnsLikeIdentity { name };
    TlsIdentity {
        strategy: Some(Strategy::DnsLikeIdentity(name.clone())),
        server_name: Some(name),
    }
}

fn hint(mesh: &Meshed) -> ProtocolHint {
    ProtocolHint {
        protocol: match (mesh.opaque, mesh.h2_upgrade) {
            (true, _) => Some(Protocol::Opaque(Opaque {})),
            (false, true) => Some(Protocol::H2(H2 {})),
            (false, false) => None,
        },
        opaque_transport: Some(OpaqueTransport {
            inbound_port: mesh.inbound_port.into(),
        }),
    }
}

#[cfg(test)]
mod tests;
