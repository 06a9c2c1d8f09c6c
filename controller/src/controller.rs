//! One controller: its listeners, its tasks and their end.

use crate::{
    balancing::Balancing,
    config::{Config, SourceConfig},
    destination::Destination,
    generated::balancing::balancing_server::BalancingServer,
    grpc::{self, Both, GrpcService},
    hub::Hub,
    metrics,
    policy::{Inbound, Outbound},
    source::{
        Batch, Source,
        directory::{Directory, DirectoryError},
        kubernetes::Kubernetes,
    },
    stream::Limits,
    trust_bundle::Keeper,
};
use linkerd2_proxy_api::{
    destination::destination_server::DestinationServer,
    inbound::inbound_server_policies_server::InboundServerPoliciesServer,
    outbound::outbound_policies_server::OutboundPoliciesServer,
};
use mesh_identity::{
    TrustBundle,
    kubernetes::AccessError,
    server::admin::Admin,
    trust::{self, TrustError},
};
use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};

/// How long connections may take to close after their streams have ended.
const GRACE: Duration = Duration::from_secs(5);
/// Batches of changes that may wait for the model.
const WAITING_BATCHES: usize = 4;

/// Why a controller does not start, or stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifests directory.
    #[error(transparent)]
    Source(#[from] DirectoryError),
    /// The Kubernetes API server.
    #[error(transparent)]
    Kubernetes(#[from] AccessError),
    /// The trust anchors that namespaces are to have.
    #[error("can't use the trust anchors: {0}")]
    Trust(#[from] TrustError),
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
        "{addr} ({what}) is no loopback address, which needs a certificate: give the controller an identity (--identity-addr), or listen on 127.0.0.1"
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
    objects: Objects,
    destination: TcpListener,
    policy: TcpListener,
    admin: TcpListener,
    addrs: [SocketAddr; 3],
}

impl Controller {
    /// Checks the configuration and binds the ports.
    ///
    /// # Errors
    /// When the source can't be used, or a port not be bound.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        metrics::describe();
        let objects = Objects::open(&config).await?;
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
            objects,
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
        let hub = Arc::new(Hub::new(self.config.settings()));
        let ready = watch::Sender::new(false);
        let stop = watch::Sender::new(false);
        // Dropped, and so aborted, when this function returns.
        let mut tasks = JoinSet::new();
        let admin = Admin {
            ready: ready.subscribe(),
            unready: "objects not read yet",
            detail: self.objects.text(),
            metrics: self.config.metrics.clone(),
        };
        tasks.spawn(admin.serve(self.admin));
        let (batches, received) = mpsc::channel(WAITING_BATCHES);
        self.objects.start(&hub, &self.config, batches, &mut tasks);
        tasks.spawn(feed(hub.clone(), received, ready.clone()));

        let servers = Servers {
            config: self.config,
            addrs: self.addrs,
            hub,
            stop: stop.subscribe(),
        };
        let serving = servers.serve(self.destination, self.policy, ready.subscribe());
        tokio::pin!(serving);
        tokio::select! {
            served = &mut serving => return served,
            () = shutdown => {}
        }
        tracing::info!("Shutting down");
        ready.send_replace(false);
        stop.send_replace(true);
        // Clients that don't close their connections in time are cut off.
        tokio::time::timeout(GRACE, serving).await.unwrap_or(Ok(()))
    }
}

/// A source that can be used, with what depends on its kind.
#[derive(Debug)]
enum Objects {
    Directory(Directory),
    Kubernetes(Kubernetes, Option<TrustBundle>),
}

impl Objects {
    async fn open(config: &Config) -> Result<Self, Error> {
        Ok(match &config.source {
            SourceConfig::Directory(path) => Self::Directory(Directory::open(path)?),
            SourceConfig::Kubernetes(access) => {
                let anchors = config.trust_anchors.as_ref();
                let anchors =
                    anchors.map(|file| TrustBundle::watch_file(file, trust::POLL_INTERVAL));
                Self::Kubernetes(Kubernetes::open(access).await?, anchors.transpose()?)
            }
        })
    }

    /// What people are told of its state.
    fn text(&self) -> watch::Receiver<String> {
        match self {
            Self::Directory(_) => watch::Sender::default().subscribe(),
            Self::Kubernetes(source, _) => source.freshness().text(),
        }
    }

    fn start(
        self,
        hub: &Hub,
        config: &Config,
        batches: mpsc::Sender<Batch>,
        tasks: &mut JoinSet<()>,
    ) {
        match self {
            Self::Directory(source) => tasks.spawn(source.run(batches)),
            Self::Kubernetes(source, anchors) => {
                if let Some(anchors) = anchors {
                    let own_namespace = config.identity_namespace.clone();
                    let keeper = Keeper::new(source.client(), anchors, own_namespace, hub.meshed());
                    tasks.spawn(keeper.run());
                }
                tasks.spawn(source.run(batches))
            }
        };
    }
}

/// What the gRPC servers share.
struct Servers {
    config: Config,
    addrs: [SocketAddr; 3],
    hub: Arc<Hub>,
    stop: watch::Receiver<bool>,
}

impl Servers {
    /// Serves once the objects have been read; until then, connections wait in
    /// the kernel.
    async fn serve(
        self,
        destination: TcpListener,
        policy: TcpListener,
        mut ready: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let mut stopped = self.stop.clone();
        tokio::select! {
            _ = ready.wait_for(|ready| *ready) => {}
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        }
        let [destination_addr, policy_addr, admin_addr] = self.addrs;
        tracing::info!(destination = %destination_addr, policy = %policy_addr, admin = %admin_addr, "Controller started");
        let destination = self.one("destination", self.destination(), destination);
        let policy = self.one("policy", self.policy(), policy);
        tokio::try_join!(destination, policy).map(|_| ())
    }

    async fn one(
        &self,
        what: &'static str,
        service: impl GrpcService,
        listener: TcpListener,
    ) -> Result<(), Error> {
        let mut stop = self.stop.clone();
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let connections = grpc::connections(listener, &self.config);
        grpc::serve(service, connections, self.config.max_streams, stopped)
            .await
            .map_err(|cause| Error::Serve { what, cause })
    }

    fn destination(&self) -> impl GrpcService + use<> {
        let (hub, limits, domain) = (&self.hub, self.limits(), &self.config.cluster_domain);
        Both(
            DestinationServer::new(Destination::new(hub.clone(), limits.clone(), domain)),
            BalancingServer::new(Balancing::new(hub.clone(), limits, domain)),
        )
    }

    fn policy(&self) -> impl GrpcService + use<> {
        let (hub, limits, domain) = (&self.hub, self.limits(), &self.config.cluster_domain);
        Both(
            OutboundPoliciesServer::new(Outbound::new(hub.clone(), limits.clone(), domain)),
            InboundServerPoliciesServer::new(Inbound::new(hub.clone(), limits)),
        )
    }

    fn limits(&self) -> Limits {
        Limits {
            queue: self.config.stream_queue,
            shutdown: self.stop.clone(),
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

async fn bind(what: &'static str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |cause| Error::Listen { what, addr, cause };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}
