//! Label sets, and the labels that many families have.

use crate::policy::Metadata;
use metrics::SharedString;
use std::{net::SocketAddr, sync::Arc};

/// A label set, sorted by name, so that the order of writing makes no difference.
/// Clones share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<Vec<(SharedString, SharedString)>>);

/// Which way traffic flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the application.
    Inbound,
    /// From the application.
    Outbound,
}

/// The side of a connection that the proxy talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The client, which connected to the proxy.
    Src,
    /// The server, which the proxy connected to.
    Dst,
}

/// Why a connection has no mesh TLS (`no_tls_reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoTls {
    /// The client sent something else than a handshake with our name.
    NoTlsFromRemote,
    /// It does not leave the machine.
    Loopback,
    /// Discovery named no identity for the endpoint.
    NotProvidedByServiceDiscovery,
    /// The port's policy turned TLS detection off.
    PortSkipped,
}

impl Direction {
    /// `inbound` or `outbound`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

impl Peer {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Src => "src",
            Self::Dst => "dst",
        }
    }
}

impl NoTls {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NoTlsFromRemote => "no_tls_from_remote",
            Self::Loopback => "loopback",
            Self::NotProvidedByServiceDiscovery => "not_provided_by_service_discovery",
            Self::PortSkipped => "port_skipped",
        }
    }
}

impl Labels {
    /// No labels.
    pub fn new() -> Self {
        Self::default()
    }

    /// These and `name`, replacing a label of that name. A name from outside
    /// must be one that Prometheus takes: see [`Self::destination`].
    #[must_use]
    pub fn with(mut self, name: impl Into<SharedString>, value: impl Into<SharedString>) -> Self {
        let (name, value) = (name.into(), value.into());
        let labels = Arc::make_mut(&mut self.0);
        match labels.binary_search_by(|(have, _)| have.cmp(&name)) {
            Ok(at) => labels[at].1 = value,
            Err(at) => labels.insert(at, (name, value)),
        }
        self
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(have, _)| (**have).cmp(name));
        at.ok().map(|at| &*self.0[at].1)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// `direction`
    #[must_use]
    pub fn direction(self, direction: Direction) -> Self {
        self.with("direction", direction.as_str())
    }

    /// `peer`
    #[must_use]
    pub fn peer(self, peer: Peer) -> Self {
        self.with("peer", peer.as_str())
    }

    /// `target_addr`, `target_ip`, `target_port`
    #[must_use]
    pub fn target_addr(self, addr: SocketAddr) -> Self {
        self.with("target_addr", addr.to_string())
            .with("target_ip", addr.ip().to_string())
            .with("target_port", addr.port().to_string())
    }

    /// `authority`: the name a client asked for, without its port.
    #[must_use]
    pub fn authority(self, authority: impl Into<SharedString>) -> Self {
        self.with("authority", authority)
    }

    /// `tls="true"` with the `client_id` of an inbound connection, if it proved one.
    #[must_use]
    pub fn tls_client(self, client_id: Option<&str>) -> Self {
        let id = client_id.unwrap_or_default().to_owned();
        self.with("tls", "true").with("client_id", id)
    }

    /// `tls="true"` with the `server_id` of an outbound connection.
    #[must_use]
    pub fn tls_server(self, server_id: impl Into<SharedString>) -> Self {
        self.with("tls", "true").with("server_id", server_id)
    }

    /// `tls="no_identity"` with the reason.
    #[must_use]
    pub fn no_tls(self, reason: NoTls) -> Self {
        self.with("tls", "no_identity")
            .with("no_tls_reason", reason.as_str())
    }

    /// `tls="opaque"`: TLS of the application, passed through.
    #[must_use]
    pub fn tls_opaque(self) -> Self {
        self.with("tls", "opaque")
    }

    /// `srv_group`, `srv_kind`, `srv_name` and the connection's `srv_port`.
    #[must_use]
    pub fn server(self, meta: &Metadata, port: u16) -> Self {
        self.object(SRV, meta).with("srv_port", port.to_string())
    }

    /// `route_group`, `route_kind`, `route_name` (inbound).
    #[must_use]
    pub fn route(self, meta: &Metadata) -> Self {
        self.object(ROUTE, meta)
    }

    /// `authz_group`, `authz_kind`, `authz_name`
    #[must_use]
    pub fn authz(self, meta: &Metadata) -> Self {
        self.object(AUTHZ, meta)
    }

    /// `parent_*` of outbound families: also namespace, port and section.
    #[must_use]
    pub fn parent(self, meta: &Metadata) -> Self {
        self.object(PARENT, meta)
            .with("parent_namespace", meta.namespace.clone())
            .with("parent_port", port(meta))
            .with("parent_section_name", meta.section.clone())
    }

    /// `parent_*` of inbound families: the server and the connection's port.
    #[must_use]
    pub fn inbound_parent(self, meta: &Metadata, port: u16) -> Self {
        self.object(PARENT, meta)
            .with("parent_port", port.to_string())
    }

    /// `route_*` of outbound families: also the namespace.
    #[must_use]
    pub fn outbound_route(self, meta: &Metadata) -> Self {
        self.object(ROUTE, meta)
            .with("route_namespace", meta.namespace.clone())
    }

    /// `backend_*`
    #[must_use]
    pub fn backend(self, meta: &Metadata) -> Self {
        self.object(BACKEND, meta)
            .with("backend_namespace", meta.namespace.clone())
            .with("backend_port", port(meta))
            .with("backend_section_name", meta.section.clone())
    }

    /// `dst_*`: what discovery says of an endpoint. Characters that no label
    /// name has become `_`, as Linkerd's controller has them already.
    #[must_use]
    pub fn destination<'a>(self, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let name = |name: &str| {
            let name = name.chars();
            let name = name.map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
            format!("dst_{}", name.collect::<String>())
        };
        labels.into_iter().fold(self, |labels, (key, value)| {
            labels.with(name(key), value.to_owned())
        })
    }

    fn object(self, names: [&'static str; 3], meta: &Metadata) -> Self {
        let [group, kind, name] = names;
        self.with(group, meta.group.clone())
            .with(kind, meta.kind.clone())
            .with(name, meta.name.clone())
    }
}

const SRV: [&str; 3] = ["srv_group", "srv_kind", "srv_name"];
const ROUTE: [&str; 3] = ["route_group", "route_kind", "route_name"];
const AUTHZ: [&str; 3] = ["authz_group", "authz_kind", "authz_name"];
const PARENT: [&str; 3] = ["parent_group", "parent_kind", "parent_name"];
const BACKEND: [&str; 3] = ["backend_group", "backend_kind", "backend_name"];

fn port(meta: &Metadata) -> SharedString {
    match meta.port {
        0 => "".into(),
        port => port.to_string().into(),
    }
}
