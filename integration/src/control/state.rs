//! What a test says of services.

use linkerd2_proxy_api::destination::{
    ProtocolHint, TlsIdentity, WeightedAddr, protocol_hint, tls_identity,
};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use tokio::sync::watch;

/// One address of a service, as the control plane tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Where the application listens.
    pub addr: SocketAddr,
    /// 10 000 is normal.
    pub weight: u32,
    /// Identity of the proxy there.
    pub identity: Option<String>,
    /// SNI, when it is not the identity.
    pub server_name: Option<String>,
    /// HTTP/1 may be carried over HTTP/2.
    pub h2: bool,
    /// The port is opaque.
    pub opaque: bool,
    /// The proxy's own port, for connections with a transport header.
    pub transport_port: Option<u16>,
}

impl Endpoint {
    /// An endpoint without a proxy.
    pub fn plain(addr: SocketAddr) -> Self {
        Self {
            addr,
            weight: 10_000,
            identity: None,
            server_name: None,
            h2: false,
            opaque: false,
            transport_port: None,
        }
    }

    /// A meshed endpoint that takes HTTP/1 over HTTP/2.
    pub fn meshed(addr: SocketAddr, identity: impl Into<String>) -> Self {
        Self {
            identity: Some(identity.into()),
            h2: true,
            ..Self::plain(addr)
        }
    }

    /// To be reached at this port with a transport header.
    #[must_use]
    pub fn via(self, port: u16) -> Self {
        Self {
            transport_port: Some(port),
            ..self
        }
    }

    /// No hint of the protocol.
    #[must_use]
    pub fn without_h2(self) -> Self {
        Self { h2: false, ..self }
    }

    /// With the hint that the port is opaque.
    #[must_use]
    pub fn opaque(self) -> Self {
        Self {
            h2: false,
            opaque: true,
            ..self
        }
    }

    pub(super) fn message(&self) -> WeightedAddr {
        use protocol_hint::{H2, Opaque, OpaqueTransport, Protocol};
        let protocol = match (self.opaque, self.h2) {
            (true, _) => Some(Protocol::Opaque(Opaque {})),
            (_, true) => Some(Protocol::H2(H2 {})),
            _ => None,
        };
        let inbound_port = self.transport_port.map(u32::from);
        WeightedAddr {
            addr: Some(self.addr.into()),
            weight: self.weight,
            tls_identity: self.identity.as_ref().map(|id| self.tls(id)),
            protocol_hint: Some(ProtocolHint {
                protocol,
                opaque_transport: inbound_port.map(|inbound_port| OpaqueTransport { inbound_port }),
            }),
            ..WeightedAddr::default()
        }
    }

    fn tls(&self, id: &str) -> TlsIdentity {
        use tls_identity::{DnsLikeIdentity, Strategy};
        let name = self.server_name.as_deref().unwrap_or(id);
        TlsIdentity {
            strategy: Some(Strategy::DnsLikeIdentity(DnsLikeIdentity {
                name: id.into(),
            })),
            server_name: Some(DnsLikeIdentity { name: name.into() }),
        }
    }
}

/// What a service is at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ServiceState {
    pub(super) authority: String,
    pub(super) endpoints: BTreeMap<SocketAddr, Endpoint>,
    pub(super) opaque: bool,
    pub(super) detect_timeout: Duration,
    pub(super) queue: Option<(u32, Duration)>,
}

impl ServiceState {
    pub(super) fn new(authority: &str) -> Self {
        Self {
            authority: authority.into(),
            endpoints: BTreeMap::new(),
            opaque: false,
            detect_timeout: Duration::from_secs(3),
            queue: Some((100, Duration::from_secs(3))),
        }
    }
}

/// A service whose state the test changes.
#[derive(Clone, Debug)]
pub struct Service(watch::Sender<ServiceState>);

impl Service {
    pub(super) fn new(state: watch::Sender<ServiceState>) -> Self {
        Self(state)
    }

    pub(super) fn state(&self) -> &watch::Sender<ServiceState> {
        &self.0
    }

    /// These are all endpoints.
    pub fn endpoints(&self, endpoints: impl IntoIterator<Item = Endpoint>) -> &Self {
        let all = endpoints.into_iter().map(|e| (e.addr, e)).collect();
        self.change(|state| state.endpoints = all)
    }

    /// One more endpoint, or another state of one.
    pub fn add(&self, endpoint: Endpoint) -> &Self {
        self.change(|state| {
            state.endpoints.insert(endpoint.addr, endpoint);
        })
    }

    /// One endpoint less.
    pub fn remove(&self, addr: SocketAddr) -> &Self {
        self.change(|state| {
            state.endpoints.remove(&addr);
        })
    }

    /// The port is opaque.
    pub fn opaque(&self) -> &Self {
        self.change(|state| state.opaque = true)
    }

    /// How long clients' first bytes are waited for.
    pub fn detect_timeout(&self, timeout: Duration) -> &Self {
        self.change(|state| state.detect_timeout = timeout)
    }

    /// Requests that wait, and how long nothing may be ready before they fail.
    pub fn queue(&self, capacity: u32, failfast: Duration) -> &Self {
        self.change(|state| state.queue = Some((capacity, failfast)))
    }

    /// Says nothing of requests that wait.
    pub fn without_queue(&self) -> &Self {
        self.change(|state| state.queue = None)
    }

    /// How many watches are open on it.
    pub fn watches(&self) -> usize {
        self.0.receiver_count()
    }

    fn change(&self, change: impl FnOnce(&mut ServiceState)) -> &Self {
        self.0.send_modify(change);
        self
    }
}
