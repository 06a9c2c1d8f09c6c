//! One controller: its roles, and their end.
//!
//! A process serves the role `destination` ([`discovery`]), `injector`
//! ([`injection`]), or both. A cluster has a Deployment of each: what every proxy
//! depends on then has the right to read and no other, and a webhook that has to be
//! restarted ends no stream.

mod discovery;
mod error;
mod injection;
pub(crate) mod readiness;

pub use error::Error;

use self::{
    discovery::{Discovery, Objects},
    injection::Injection,
    readiness::Readiness,
};
use crate::{
    config::{Config, Role},
    metrics,
};
use mesh_identity::server::admin::Admin;
use std::{fmt, future::Future, net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// How long connections may take to close after their streams have ended.
const GRACE: Duration = Duration::from_secs(5);

/// A controller with its ports bound.
pub struct Controller {
    config: Config,
    /// What people are told of the source.
    source_text: watch::Receiver<String>,
    roles: Roles,
    admin: Bound,
}

impl Controller {
    /// Checks the configuration and binds the ports of the roles that it has.
    ///
    /// # Errors
    /// When the source can't be used, or a port not be bound.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        metrics::describe();
        let objects = Objects::open(&config.source).await?;
        let source_text = objects.text();
        let injection = match (&objects, config.serves(Role::Injector)) {
            (_, false) => None,
            (Objects::Kubernetes(source), true) => {
                Some(Injection::bind(&config, source.clone()).await?)
            }
            (Objects::Directory(_), true) => return Err(Error::NeedsCluster),
        };
        let discovery = match config.serves(Role::Destination) {
            true => Some(Discovery::bind(&config, objects).await?),
            false => None,
        };
        Ok(Self {
            admin: Bound::new("admin", config.admin_addr).await?,
            config,
            source_text,
            roles: Roles {
                discovery,
                injection,
            },
        })
    }

    /// Where `Destination` and `Balancing` are served, or would be.
    #[must_use]
    pub fn destination_addr(&self) -> SocketAddr {
        let addrs = self.roles.discovery.as_ref().map(Discovery::addrs);
        addrs.map_or(self.config.destination_addr, |addrs| addrs.0)
    }

    /// Where `OutboundPolicies` and `InboundServerPolicies` are served, or would be.
    #[must_use]
    pub fn policy_addr(&self) -> SocketAddr {
        let addrs = self.roles.discovery.as_ref().map(Discovery::addrs);
        addrs.map_or(self.config.policy_addr, |addrs| addrs.1)
    }

    /// Where the injection webhook is served, or would be.
    #[must_use]
    pub fn injector_addr(&self) -> SocketAddr {
        let addr = self.roles.injection.as_ref().map(Injection::addr);
        addr.unwrap_or(self.config.injector_addr)
    }

    /// Where `/live`, `/ready` and `/metrics` are served.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin.addr
    }

    /// Serves until `shutdown`; then ends every stream, so that clients look
    /// for another controller at once.
    ///
    /// # Errors
    /// When a server fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let readiness = Readiness::default();
        let stop = watch::Sender::new(false);
        // Dropped, and so aborted, when this function returns.
        let mut tasks = JoinSet::new();
        let admin = Admin {
            ready: readiness.ready(),
            unready: "not ready",
            detail: vec![readiness.text(), self.source_text],
            metrics: self.config.metrics.clone(),
        };
        tracing::info!(admin = %self.admin.addr, "Controller started");
        tasks.spawn(admin.serve(self.admin.listener));
        let serving = self.roles.run(self.config, &readiness, stop.subscribe());
        tokio::pin!(serving);
        tokio::select! {
            served = &mut serving => return served,
            () = shutdown => {}
        }
        tracing::info!("Shutting down");
        readiness.stop();
        stop.send_replace(true);
        // Clients that don't close their connections in time are cut off.
        tokio::time::timeout(GRACE, serving).await.unwrap_or(Ok(()))
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Controller")
            .field("config", &self.config)
            .field("discovery", &self.roles.discovery)
            .finish_non_exhaustive()
    }
}

/// What this process serves.
struct Roles {
    discovery: Option<Discovery>,
    injection: Option<Injection>,
}

impl Roles {
    /// Serves until each role has ended.
    async fn run(
        self,
        config: Config,
        readiness: &Readiness,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let discovery = async {
            match self.discovery {
                Some(role) => role.run(config, readiness.clone(), stop.clone()).await,
                None => Ok(()),
            }
        };
        let injection = async {
            if let Some(role) = self.injection {
                role.run(readiness.clone(), stop.clone()).await;
            }
            Ok(())
        };
        tokio::try_join!(discovery, injection).map(|_| ())
    }
}

/// A listener, with the port that it got.
#[derive(Debug)]
struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Bound {
    async fn new(what: &'static str, addr: SocketAddr) -> Result<Self, Error> {
        let failed = |cause| Error::Listen { what, addr, cause };
        let listener = TcpListener::bind(addr).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, addr })
    }
}
