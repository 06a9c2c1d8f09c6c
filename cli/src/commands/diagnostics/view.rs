//! The controller's messages as people and programs read them: what several answers share.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use linkerd2_proxy_api::destination::{
    ProtocolHint, WeightedAddr, protocol_hint::Protocol, tls_identity::Strategy,
};
use linkerd2_proxy_api::meta::{Metadata, metadata};
use serde::Serialize;

/// The weight of an ordinary endpoint, in the API's unit.
const WEIGHT: f64 = 10_000.0;

/// One address of a service.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Endpoint {
    pub(super) ip: String,
    pub(super) port: u16,
    /// Empty for an address that is no pod's, as are those that follow.
    pub(super) pod: String,
    pub(super) service_account: String,
    pub(super) zone: String,
    /// `local` or `remote` to the zone of who asks, where that is known.
    pub(super) zone_locality: String,
    /// 1 is ordinary; an endpoint of 2 gets twice as much.
    pub(super) weight: f64,
    /// What its certificate has to say. None: connections to it are plaintext.
    pub(super) identity: Option<String>,
    /// `h2`: its proxy takes HTTP/1 inside HTTP/2. `opaque`: its bytes are not parsed.
    pub(super) protocol_hint: Option<&'static str>,
    /// Where its proxy takes connections from the mesh.
    pub(super) proxy_port: Option<u32>,
}

impl Endpoint {
    pub(super) fn of(addr: &WeightedAddr) -> Self {
        let at = addr.addr.and_then(|at| SocketAddr::try_from(at).ok());
        let label = |name: &str| addr.metric_labels.get(name).cloned().unwrap_or_default();
        let hint = addr.protocol_hint.as_ref();
        Self {
            ip: at.map(|at| at.ip().to_string()).unwrap_or_default(),
            port: at.map_or(0, |at| at.port()),
            pod: label("pod"),
            service_account: label("serviceaccount"),
            zone: label("zone"),
            zone_locality: match label("zone_locality") {
                unknown if unknown == "unknown" => String::new(),
                locality => locality,
            },
            weight: f64::from(addr.weight) / WEIGHT,
            identity: identity(addr),
            protocol_hint: hint.and_then(hinted),
            proxy_port: hint.and_then(|hint| Some(hint.opaque_transport.as_ref()?.inbound_port)),
        }
    }
}

fn identity(addr: &WeightedAddr) -> Option<String> {
    match addr.tls_identity.as_ref()?.strategy.as_ref()? {
        Strategy::DnsLikeIdentity(identity) => Some(identity.name.clone()),
        Strategy::UriLikeIdentity(identity) => Some(identity.uri.clone()),
    }
}

fn hinted(hint: &ProtocolHint) -> Option<&'static str> {
    match hint.protocol.as_ref()? {
        Protocol::H2(_) => Some("h2"),
        Protocol::Opaque(_) => Some("opaque"),
    }
}

/// A name that metrics and logs show too: a default's, or `kind/name`, with its section.
pub(super) fn metadata(metadata: Option<&Metadata>) -> String {
    match metadata.and_then(|metadata| metadata.kind.as_ref()) {
        None => String::new(),
        Some(metadata::Kind::Default(name)) => name.clone(),
        Some(metadata::Kind::Resource(resource)) => {
            let section = match resource.section.as_str() {
                "" => String::new(),
                section => format!("/{section}"),
            };
            format!(
                "{}/{}.{}{section}",
                resource.kind.to_lowercase(),
                resource.name,
                resource.namespace
            )
        }
    }
}

/// As `10s`; none where it is not set.
pub(super) fn duration(duration: Option<&prost_types::Duration>) -> Option<String> {
    let duration = Duration::try_from(*duration?).ok()?;
    Some(humantime::format_duration(duration).to_string())
}

/// A label of a message, empty if it is not there.
pub(super) fn label(labels: &HashMap<String, String>, name: &str) -> String {
    labels.get(name).cloned().unwrap_or_default()
}

/// How a port's protocol is known.
pub(super) fn protocol(name: &str, detect_timeout: Option<&str>) -> String {
    match (name, detect_timeout) {
        ("detect", Some(timeout)) => {
            format!("told from the first bytes, opaque when none come within {timeout}")
        }
        ("detect", None) => "told from the first bytes".to_owned(),
        ("opaque", _) => "opaque: bytes are carried as they are".to_owned(),
        (other, _) => other.to_owned(),
    }
}

pub(super) fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// A line of a description; nothing for an empty value.
pub(super) fn line(name: &str, value: &str) -> String {
    match value {
        "" => String::new(),
        value => format!("  {name:<11} {value}\n"),
    }
}
