//! The application's side: one HTTP client per port, shared by all peers.

use super::{Settings, metrics::InboundMetrics};
use crate::{
    cache::Cache,
    http::client::Client,
    transport::connect::{Connector, Security},
};
use std::{net::SocketAddr, sync::Arc};

/// Clients of the application by address.
pub struct Apps {
    clients: Cache<SocketAddr, Client>,
    settings: Settings,
    metrics: InboundMetrics,
}

impl Apps {
    /// No clients yet.
    pub fn new(settings: &Settings, metrics: InboundMetrics) -> Self {
        Self {
            clients: Cache::new(settings.idle),
            settings: settings.clone(),
            metrics,
        }
    }

    /// The HTTP client of the application at `addr`.
    pub fn client(&self, addr: SocketAddr) -> Arc<Client> {
        self.clients.get_or_insert(&addr, || {
            Client::new(self.connector(addr), self.settings.client.clone())
        })
    }

    /// Makes connections to the application at `addr`.
    pub fn connector(&self, addr: SocketAddr) -> Connector {
        Connector {
            addr,
            security: Security::Plain,
            header: None,
            timeout: self.settings.connect_timeout,
            sockets: self.settings.connect,
            own: self.settings.listeners.clone(),
            metrics: self.metrics.app(addr),
        }
    }
}
