//! An endpoint that takes opaque connections.

use super::{
    BoxFuture,
    health::{Health, Reports},
};
use crate::{
    outbound::Settings,
    transport::connect::{ConnectError, Connection, Connector, Session},
};
use mesh_balancer::Unsent;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;

/// An endpoint that takes opaque connections. Clones are the same endpoint.
#[derive(Clone)]
pub struct TcpEndpoint(Arc<Tcp>);

struct Tcp {
    connector: Connector,
    health: Health,
}

/// Why an endpoint was not connected.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Unconnected {
    /// Why.
    #[source]
    pub cause: ConnectError,
    /// Whether another endpoint may be.
    again: bool,
}

impl TcpEndpoint {
    /// An endpoint reached by `connector`.
    pub fn new(connector: Connector, reports: Reports, settings: &Settings) -> Self {
        Self(Arc::new(Tcp {
            connector,
            health: Health::new(reports, settings),
        }))
    }

    async fn connect(self) -> Result<Connection, Unconnected> {
        let connected = self.0.connector.connect(Session::Opaque).await;
        connected.map_err(|cause| {
            // A loop does not end by another attempt.
            let again = !self.0.health.is_alone() && !ConnectError::is_loop(&cause);
            if again {
                self.recover(&cause);
            }
            Unconnected { cause, again }
        })
    }

    fn recover(&self, why: &ConnectError) {
        let endpoint = Arc::downgrade(&self.0);
        self.0.health.recover(why, move || {
            let endpoint = endpoint.upgrade();
            async move {
                let endpoint = endpoint?;
                let ok = endpoint.connector.probe().await.is_ok();
                ok.then(|| endpoint.health.opened());
                Some(ok)
            }
        });
    }
}

impl Service<()> for TcpEndpoint {
    type Response = Connection;
    type Error = Unconnected;
    type Future = BoxFuture<Connection, Unconnected>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unconnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

impl Unsent<()> for Unconnected {
    /// Nothing is sent before there is a connection.
    fn unsent(self) -> Result<(), Self> {
        if self.again { Ok(()) } else { Err(self) }
    }
}
