//! Addresses with what is known of them.

use super::{Invalid, port, tcp_address};
use crate::{
    discovery::endpoints::Endpoint,
    policy::{EndpointMeta, Hint, ServerIdentity},
};
use linkerd2_proxy_api::destination::{
    ProtocolHint, TlsIdentity, WeightedAddr, protocol_hint::Protocol, tls_identity::Strategy,
};
use std::{collections::HashMap, sync::Arc};

/// The weight that stands for 1.
const UNIT_WEIGHT: f32 = 10_000.0;

/// An endpoint, with the labels of its set under its own.
pub(in crate::discovery) fn endpoint(
    addr: WeightedAddr,
    set_labels: &HashMap<String, String>,
) -> Result<Endpoint, Invalid> {
    let weight = addr.weight as f32 / UNIT_WEIGHT;
    let (hint, transport_port) = hint(addr.protocol_hint)?;
    Ok(Endpoint {
        addr: tcp_address(addr.addr)?,
        weight,
        meta: Arc::new(EndpointMeta {
            labels: labels(set_labels, addr.metric_labels),
            identity: addr.tls_identity.map(identity).transpose()?,
            hint,
            transport_port,
            authority_override: addr
                .authority_override
                .map(|over| over.authority_override)
                .filter(|authority| !authority.is_empty())
                .map(Into::into),
        }),
    })
}

fn labels(
    set: &HashMap<String, String>,
    own: HashMap<String, String>,
) -> Arc<[(Arc<str>, Arc<str>)]> {
    let inherited = set.iter().filter(|(name, _)| !own.contains_key(*name));
    let inherited = inherited.map(|(name, value)| (Arc::from(&**name), Arc::from(&**value)));
    let mut labels: Vec<(Arc<str>, Arc<str>)> = inherited.collect();
    labels.extend(
        own.into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    );
    labels.sort_unstable();
    labels.into()
}

fn identity(tls: TlsIdentity) -> Result<ServerIdentity, Invalid> {
    let id: Arc<str> = match tls.strategy {
        Some(Strategy::DnsLikeIdentity(dns)) => dns.name.into(),
        Some(Strategy::UriLikeIdentity(uri)) => uri.uri.into(),
        None => return Err(Invalid::missing("tls_identity.strategy")),
    };
    if id.is_empty() {
        return Err(Invalid::new("tls_identity.strategy", "is an empty name"));
    }
    let server_name = match tls.server_name {
        Some(name) if !name.name.is_empty() => name.name.into(),
        // Linkerd's older controllers send none; the identity was meant.
        _ => id.clone(),
    };
    Ok(ServerIdentity { id, server_name })
}

fn hint(hint: Option<ProtocolHint>) -> Result<(Hint, Option<u16>), Invalid> {
    let Some(hint) = hint else {
        return Ok((Hint::Unknown, None));
    };
    let transport = hint.opaque_transport;
    let transport_port = transport
        .map(|opaque| {
            port(
                "protocol_hint.opaque_transport.inbound_port",
                opaque.inbound_port,
            )
        })
        .transpose()?;
    let hint = match hint.protocol {
        None => Hint::Unknown,
        Some(Protocol::H2(_)) => Hint::H2,
        Some(Protocol::Opaque(_)) => Hint::Opaque,
    };
    Ok((hint, transport_port))
}
