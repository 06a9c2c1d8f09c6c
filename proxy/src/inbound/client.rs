//! One inbound connection: who it is from, what for, under which policy.

use super::{Shared, demand::Demand, policy::Allowed};
use crate::{
    http::client::Client as HttpClient,
    log::flood::sparsely,
    policy::{Metadata, ServerPolicy, ServerProtocol, inbound::Client},
    transport::header::TransportHeader,
};
use http::HeaderValue;
use parking_lot::Mutex;
use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};
use tokio::sync::watch;

/// What TLS told of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerTls {
    /// Plaintext.
    None,
    /// TLS without a certificate.
    Anonymous,
    /// A verified identity.
    Identified(Arc<str>),
}

impl PeerTls {
    /// The verified identity.
    pub fn identity(&self) -> Option<&Arc<str>> {
        match self {
            Self::Identified(id) => Some(id),
            Self::None | Self::Anonymous => None,
        }
    }
}

/// An inbound connection.
pub(super) struct Conn {
    /// The client's address.
    pub(super) client: SocketAddr,
    /// Its identity.
    pub(super) tls: PeerTls,
    /// Its identity as a header value.
    pub(super) client_id: Option<HeaderValue>,
    /// The application.
    pub(super) app: SocketAddr,
    /// What the application's port demands, whatever policy says.
    pub(super) demand: Demand,
    /// The policy of the application's port.
    pub(super) policy: watch::Receiver<Arc<ServerPolicy>>,
    /// The application's HTTP client, from the first request on.
    pub(super) http: OnceLock<Arc<HttpClient>>,
    /// What the client said the connection is for, until that is counted.
    pub(super) announced: Mutex<Option<TransportHeader>>,
    /// The last decision: the next request nearly always gets the same.
    pub(super) allowed: Mutex<Option<Arc<Allowed>>>,
}

impl Shared {
    /// A connection of `client` to the application at `app`; `None`, counted, when
    /// no policy can be had because there are too many ports.
    pub(super) fn conn(&self, client: SocketAddr, app: SocketAddr) -> Option<Conn> {
        let policy = match self.discovery.inbound(app.port()) {
            Ok(policy) => policy,
            Err(full) => {
                self.metrics.too_many_ports();
                sparsely!(warn, %client, port = app.port(), %full, "Connection refused");
                return None;
            }
        };
        Some(Conn {
            client,
            client_id: None,
            tls: PeerTls::None,
            app,
            demand: self.settings.demands.of_port(app.port()),
            policy,
            http: OnceLock::new(),
            announced: Mutex::new(None),
            allowed: Mutex::new(None),
        })
    }
}

impl Conn {
    /// The same connection, when TLS has told whose it is.
    pub(super) fn with_tls(self, tls: PeerTls) -> Self {
        Self {
            client_id: tls.identity().and_then(|id| HeaderValue::from_str(id).ok()),
            tls,
            ..self
        }
    }

    /// What the application speaks.
    pub(super) fn protocol(&self) -> ServerProtocol {
        self.policy.borrow().protocol
    }

    /// The server policy's labels.
    pub(super) fn server(&self) -> Arc<Metadata> {
        self.policy.borrow().meta.clone()
    }

    /// The client, as policy sees it.
    pub(super) fn as_client(&self) -> Client<'_> {
        Client {
            ip: self.client.ip(),
            tls: match &self.tls {
                PeerTls::None => None,
                PeerTls::Anonymous => Some(None),
                PeerTls::Identified(id) => Some(Some(id)),
            },
        }
    }
}
