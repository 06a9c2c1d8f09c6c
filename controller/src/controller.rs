//! One controller: its listeners, its tasks and their end.

use crate::{
    admin::Admin,
    balancing::Balancing,
    config::Config,
    destination::Destination,
    generated::balancing::balancing_server::BalancingServer,
    grpc::{self, Both},
    hub::Hub,
    metrics,
    policy::{Inbound, Outbound},
    source::{
        Batch, Source,
        directory::{Directory, DirectoryError},
    },
    stream::Limits,
};
use linkerd2_proxy_api::{
    destination::destination_server::DestinationServer,
    inbound::inbound_server_policies_server::InboundServerPoliciesServer,
    outbound::outbound_policies_server::OutboundPoliciesServer,
};
use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};

/// How long connections may take to close after their streams have ended.
const GRACE: Duration = Duration::from_secs(5);

/// Why a controller does not start, or stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifests directory.
    #[error(transparent)]
    Source(#[from] DirectoryError),
    /// A port is taken, an address not ours, ...
    #[error("can't listen on {addr} for {what}: {cause}")]
    Listen {
        /// Which server.
        what: &'static str,
        /// Where.
        addr: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// An address that clients use mutual TLS to.
    #[error(
        "{addr} ({what}) is no loopback address, which needs a certificate: give the controller an identity, or listen on 127.0.0.1"
    )]
    NeedsIdentity {
        /// Which server.
        what: &'static str,
        /// Where.
        addr: SocketAddr,
    },
    /// A gRPC server stopped by itself.
    #[error("the {what} server failed: {cause}")]
    Serve {
        /// Which server.
        what: &'static str,
        /// Why.
        cause: tonic::transport::Error,
    },
}

/// A controller with its ports bound.
#[derive(Debug)]
pub struct Controller {
    config: Config,
    source: Directory,
    destination: TcpListener,
    policy: TcpListener,
    admin: TcpListener,
    addrs: [SocketAddr; 3],
}

impl Controller {
    /// Checks the configuration and binds the ports.
    ///
    /// # Errors
    /// When the directory can't be read, or a port not be bound.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        metrics::describe();
        let source = Directory::open(&config.source)?;
        for (what, addr) in [
            ("destination", config.destination_addr),
            ("policy", config.policy_addr),
        ] {
            let local = addr.ip().to_canonical().is_loopback();
            if config.credentials.is_none() && !local {
                return Err(Error::NeedsIdentity { what, addr });
            }
        }
        let (destination, destination_addr) = bind("destination", config.destination_addr).await?;
        let (policy, policy_addr) = bind("policy", config.policy_addr).await?;
        let (admin, admin_addr) = bind("admin", config.admin_addr).await?;
        Ok(Self {
            config,
            source,
            destination,
            policy,
            admin,
            addrs: [destination_addr, policy_addr, admin_addr],
        })
    }

    /// Where `Destination` and `Balancing` are served.
    #[must_use]
    pub fn destination_addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// Where `OutboundPolicies` and `InboundServerPolicies` are served.
    #[must_use]
    pub fn policy_addr(&self) -> SocketAddr {
        self.addrs[1]
    }

    /// Where `/live`, `/ready` and `/metrics` are served.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.addrs[2]
    }

    /// Serves until `shutdown`; then ends every stream, so that clients look
    /// for another controller at once.
    ///
    /// # Errors
    /// When a server fails.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let [destination_addr, policy_addr, admin_addr] = self.addrs;
        let hub = Arc::new(Hub::new(self.config.settings()));
        let (ready, is_ready) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        // Dropped, and so aborted, when this function returns.
        let mut tasks = JoinSet::new();
        let admin = Admin {
            ready: is_ready.clone(),
            metrics: self.config.metrics.clone(),
        };
        tasks.spawn(admin.serve(self.admin));
        let (batches, received) = mpsc::channel(4);
        tasks.spawn(self.source.run(batches));
        tasks.spawn(feed(hub.clone(), received, ready.clone()));

        let limits = Limits {
            queue: self.config.stream_queue,
            shutdown: stopped.clone(),
        };
        let domain = &self.config.cluster_domain;
        let destination = Both(
            DestinationServer::new(Destination::new(hub.clone(), limits.clone(), domain)),
            BalancingServer::new(Balancing::new(hub.clone(), limits.clone(), domain)),
        );
        let policy = Both(
            OutboundPoliciesServer::new(Outbound::new(hub.clone(), limits.clone(), domain)),
            InboundServerPoliciesServer::new(Inbound::new(hub, limits)),
        );
        let max_streams = self.config.max_streams;
        let (config, to_destination, to_policy) = (&self.config, self.destination, self.policy);
        let stop_signal = || {
            let mut stopped = stopped.clone();
            async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            }
        };
        let serve = async {
            // Connections wait in the kernel until there is something to say.
            let _ = is_ready.clone().wait_for(|ready| *ready).await;
            tracing::info!(destination = %destination_addr, policy = %policy_addr, admin = %admin_addr, "Controller started");
            let destination = grpc::serve(
                destination,
                grpc::connections(to_destination, config),
                max_streams,
                stop_signal(),
            );
            let policy = grpc::serve(
                policy,
                grpc::connections(to_policy, config),
                max_streams,
                stop_signal(),
            );
            tokio::try_join!(named("destination", destination), named("policy", policy)).map(|_| ())
        };
        tokio::pin!(serve);
        tokio::select! {
            served = &mut serve => return served,
            () = shutdown => {}
        }
        tracing::info!("Shutting down");
        ready.send_replace(false);
        stop.send_replace(true);
        match tokio::time::timeout(GRACE, serve).await {
            Ok(served) => served,
            // Clients that don't close their connections are cut off.
            Err(_) => Ok(()),
        }
    }
}

/// Feeds the model; it is ready with the first batch.
async fn feed(hub: Arc<Hub>, mut batches: mpsc::Receiver<Batch>, ready: watch::Sender<bool>) {
    while let Some(batch) = batches.recv().await {
        metrics::source_updates(batch.len());
        tracing::debug!(changes = batch.len(), "Objects changed");
        hub.apply(batch);
        ready.send_if_modified(|ready| !std::mem::replace(ready, true));
    }
}

async fn named(
    what: &'static str,
    served: impl Future<Output = Result<(), tonic::transport::Error>>,
) -> Result<(), Error> {
    served.await.map_err(|cause| Error::Serve { what, cause })
}

async fn bind(what: &'static str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |cause| Error::Listen { what, addr, cause };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}
