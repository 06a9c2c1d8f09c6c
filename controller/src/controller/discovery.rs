//! The role `destination`: objects in, streams to proxies out. It only reads.

use super::{Bound, Error, readiness::Readiness};
use crate::{
    balancing::Balancing,
    config::{Config, SourceConfig},
    destination::Destination,
    generated::balancing::balancing_server::BalancingServer,
    grpc::{self, Both, GrpcService},
    hub::Hub,
    metrics,
    policy::{Inbound, Outbound},
    source::{Batch, Source, directory::Directory, kubernetes::Kubernetes},
    stream::Limits,
};
use linkerd2_proxy_api::{
    destination::destination_server::DestinationServer,
    inbound::inbound_server_policies_server::InboundServerPoliciesServer,
    outbound::outbound_policies_server::OutboundPoliciesServer,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};

/// Batches of changes that may wait for the model.
const WAITING_BATCHES: usize = 4;
/// What is waited for.
const OBJECTS: &str = "objects";
/// Without it no proxy can connect.
const CERTIFICATE: &str = "a certificate";

/// Where the objects are, checked.
#[derive(Clone, Debug)]
pub(super) enum Objects {
    Directory(Directory),
    Kubernetes(Kubernetes),
}

impl Objects {
    pub(super) async fn open(source: &SourceConfig) -> Result<Self, Error> {
        Ok(match source {
            SourceConfig::Directory(path) => Self::Directory(Directory::open(path)?),
            SourceConfig::Kubernetes(access) => Self::Kubernetes(Kubernetes::open(access).await?),
        })
    }

    /// What people are told of its state.
    pub(super) fn text(&self) -> watch::Receiver<String> {
        match self {
            Self::Directory(_) => watch::Sender::default().subscribe(),
            Self::Kubernetes(source) => source.freshness().text(),
        }
    }

    fn start(self, batches: mpsc::Sender<Batch>, tasks: &mut JoinSet<()>) {
        match self {
            Self::Directory(source) => tasks.spawn(source.run(batches)),
            Self::Kubernetes(source) => tasks.spawn(source.run(batches)),
        };
    }
}

/// The gRPC servers, bound.
#[derive(Debug)]
pub(super) struct Discovery {
    objects: Objects,
    destination: Bound,
    policy: Bound,
}

impl Discovery {
    pub(super) async fn bind(config: &Config, objects: Objects) -> Result<Self, Error> {
        for (what, addr) in [
            ("destination", config.destination_addr),
            ("policy", config.policy_addr),
        ] {
            let local = addr.ip().to_canonical().is_loopback();
            if config.credentials.is_none() && !local {
                return Err(Error::NeedsIdentity { what, addr });
            }
        }
        Ok(Self {
            objects,
            destination: Bound::new("destination", config.destination_addr).await?,
            policy: Bound::new("policy", config.policy_addr).await?,
        })
    }

    pub(super) fn addrs(&self) -> (SocketAddr, SocketAddr) {
        (self.destination.addr, self.policy.addr)
    }

    /// Serves until `stop`, and then until clients have closed their connections.
    pub(super) async fn run(
        self,
        config: Config,
        readiness: Readiness,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let hub = Arc::new(Hub::new(config.settings()));
        // Dropped, and so aborted, when this function returns.
        let mut tasks = JoinSet::new();
        readiness.wait_for(OBJECTS);
        if let Some(credentials) = &config.credentials {
            readiness.wait_for(CERTIFICATE);
            tasks.spawn(certified(credentials.ready(), readiness.clone()));
        }
        let (batches, received) = mpsc::channel(WAITING_BATCHES);
        self.objects.start(batches, &mut tasks);
        let read = watch::Sender::new(false);
        let objects_read = read.subscribe();
        tasks.spawn(feed(hub.clone(), received, read, readiness));
        let servers = Servers { config, hub, stop };
        servers
            .serve(self.destination, self.policy, objects_read)
            .await
    }
}

/// What the gRPC servers share.
struct Servers {
    config: Config,
    hub: Arc<Hub>,
    stop: watch::Receiver<bool>,
}

impl Servers {
    /// Serves once the objects have been read; until then, connections wait in
    /// the kernel.
    async fn serve(
        self,
        destination: Bound,
        policy: Bound,
        mut read: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let mut stopped = self.stop.clone();
        tokio::select! {
            _ = read.wait_for(|read| *read) => {}
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        }
        tracing::info!(destination = %destination.addr, policy = %policy.addr, "Serving destinations and policies");
        let destination = self.one("destination", self.destination(), destination.listener);
        let policy = self.one("policy", self.policy(), policy.listener);
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
            shutdown: self.stop.clone(),
        }
    }
}

/// Feeds the model, whose objects are read with the first batch.
async fn feed(
    hub: Arc<Hub>,
    mut batches: mpsc::Receiver<Batch>,
    read: watch::Sender<bool>,
    readiness: Readiness,
) {
    while let Some(batch) = batches.recv().await {
        metrics::source_updates(batch.len());
        tracing::debug!(changes = batch.len(), "Objects changed");
        hub.apply(batch);
        if read.send_if_modified(|read| !std::mem::replace(read, true)) {
            readiness.done(OBJECTS);
        }
    }
}

/// Until there is a certificate, clients fail to connect: those of a replica that this one replaces would find nobody.
async fn certified(mut ready: watch::Receiver<bool>, readiness: Readiness) {
    if ready.wait_for(|ready| *ready).await.is_ok() {
        readiness.done(CERTIFICATE);
    }
}
