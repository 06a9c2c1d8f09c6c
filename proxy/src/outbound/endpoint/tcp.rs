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

impl TcpEndpoint {
    /// An endpoint reached by `connector`.
    pub fn new(connector: Connector, reports: Reports, settings: &Settings) -> Self {
        Self(Arc::new(Tcp {
            connector,
            health: Health::new(reports, settings),
        }))
    }

    async fn connect(self) -> Result<Connection, ConnectError> {
        let result = self.0.connector.connect(Session::Opaque).await;
        if let Err(error) = &result
            && !ConnectError::is_loop(error)
        {
            let endpoint = Arc::downgrade(&self.0);
            self.0.health.recover(error, move || {
                let endpoint = endpoint.upgrade();
                async move {
                    let endpoint = endpoint?;
                    let ok = endpoint.connector.probe().await.is_ok();
                    ok.then(|| endpoint.health.opened());
                    Some(ok)
                }
            });
        }
        result
    }
}

impl Service<()> for TcpEndpoint {
    type Response = Connection;
    type Error = ConnectError;
    type Future = BoxFuture<Connection, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

impl Unsent<()> for ConnectError {
    /// Nothing is sent before there is a connection; but a loop stays one.
    fn unsent(self) -> Result<(), Self> {
        match self {
            Self::Loop { .. } => Err(self),
            _ => Ok(()),
        }
    }
}
