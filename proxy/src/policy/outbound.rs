//! What to do with outbound traffic for one target.

use super::Metadata;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// The answer for one [`super::Target`] (`outbound.OutboundPolicy`, joined with
/// what the profile adds: `opaque_protocol` and the endpoint of a pod IP).
#[derive(Clone, Debug, PartialEq)]
pub struct OutboundPolicy {
    /// The Service (or other parent) the target belongs to: labels `parent_*`.
    pub parent: Arc<Metadata>,
    /// Which protocol is spoken, or that it is to be detected.
    pub protocol: Protocol,
}

/// The protocol of a target, with the route of each protocol it may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Protocol {
    /// Look at the first bytes; after `timeout` without any, treat as opaque.
    Detect {
        /// How long to wait for the client's first bytes.
        timeout: Duration,
        /// Used when HTTP/1 is detected.
        http1: Arc<Route>,
        /// Used when HTTP/2 is detected.
        http2: Arc<Route>,
        /// Used for TLS and for anything that is not HTTP.
        opaque: Arc<Route>,
    },
    /// HTTP/1 without asking.
    Http1(Arc<Route>),
    /// HTTP/2 (or gRPC) without asking.
    Http2(Arc<Route>),
    /// Bytes, forwarded at once: server-first protocols wait for nothing.
    Opaque(Arc<Route>),
    /// TLS of the application, passed through.
    Tls(Arc<Route>),
}

/// The one route of a protocol. Matching several is the traffic-policy work;
/// it replaces the `Arc<Route>` above by a table of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Labels `route_*`.
    pub meta: Arc<Metadata>,
    /// Where its requests or connections go.
    pub action: RouteAction,
}

/// What a route does with a request or connection.
#[derive(Clone, Debug, PartialEq)]
pub enum RouteAction {
    /// Sends it to one of these, chosen by weight; never empty.
    Dispatch(Vec<(Arc<Backend>, u32)>),
    /// Refuses it: an HTTP request with `status`, a connection by closing it
    /// (an undefined port, an egress that is denied, an invalid route).
    Fail {
        /// HTTP status for requests.
        status: http::StatusCode,
        /// Why, for the error header and the log.
        message: Arc<str>,
    },
}

/// Where a route's traffic goes, with a queue in front.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Backend {
    /// Labels `backend_*`.
    pub meta: Arc<Metadata>,
    /// The queue while nothing is ready.
    pub queue: Queue,
    /// One address, or a balancer over discovered ones.
    pub dispatch: Dispatch,
}

impl Backend {
    /// The authority a balancer is over; a forward has none.
    pub fn authority(&self) -> Option<Arc<str>> {
        match &self.dispatch {
            Dispatch::Forward { .. } => None,
            Dispatch::Balance { authority, .. } => Some(authority.clone()),
        }
    }
}

/// How long and how many requests wait while no endpoint is ready. What is not
/// said is up to the proxy's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    /// Requests that may wait; one more is refused at once.
    pub capacity: Option<usize>,
    /// After this long without a ready endpoint, waiting requests fail, and
    /// new ones fail at once until one is ready.
    pub failfast_timeout: Option<Duration>,
}

/// How a backend picks an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dispatch {
    /// One known endpoint: a pod IP, or an address outside the mesh.
    Forward {
        /// Where to connect.
        addr: SocketAddr,
        /// Identity, hints and labels of it; default for an unmeshed one.
        meta: Arc<EndpointMeta>,
    },
    /// Balanced over what `Destination.Get` answers for `authority`.
    Balance {
        /// The path of the request, `web.shop.svc.cluster.local:80`.
        authority: Arc<str>,
        /// Parameters of the default policy.
        ewma: PeakEwma,
    },
}

/// Parameters of peak-EWMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeakEwma {
    /// Latency assumed of an endpoint that has not answered yet.
    pub default_rtt: Duration,
    /// Time constant by which an estimate decays.
    pub decay: Duration,
}

impl Default for PeakEwma {
    /// Linkerd's: 30 ms, 10 s.
    fn default() -> Self {
        Self {
            default_rtt: Duration::from_millis(30),
            decay: Duration::from_secs(10),
        }
    }
}

/// What is known of one endpoint beside its address
/// (`destination.WeightedAddr`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EndpointMeta {
    /// Metric labels (`pod`, `zone`, ...), sorted by name; set-level ones merged in.
    pub labels: Arc<[(Arc<str>, Arc<str>)]>,
    /// Who it must prove to be; `None` means plaintext.
    pub identity: Option<ServerIdentity>,
    /// What its proxy can take.
    pub hint: Hint,
    /// `opaque_transport.inbound_port`: connect to this port of the address,
    /// with ALPN `transport.l5d.io/v1` and a header naming the real port.
    pub transport_port: Option<u16>,
    /// Authority to be sent instead of the client's (gateways).
    pub authority_override: Option<Arc<str>>,
}

/// The identity a server must prove, and the SNI to ask for it by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerIdentity {
    /// DNS-like name or SPIFFE URI in the certificate.
    pub id: Arc<str>,
    /// TLS server name.
    pub server_name: Arc<str>,
}

/// Protocol hint of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Nothing known: speak what the client speaks.
    #[default]
    Unknown,
    /// A meshed peer: HTTP/1 may be carried over HTTP/2.
    H2,
    /// The port is opaque: no HTTP handling on the far side.
    Opaque,
}
