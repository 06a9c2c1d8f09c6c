//! The whole proxy, wired in the order things depend on each other.
//!
//! Listeners are bound before anything is asked of the control plane, so that a
//! taken port is an error at once; they are served only when there is a
//! certificate, because until then nobody could tell who we are. Admin runs on a
//! thread of its own and answers from the start.

mod control;
mod listeners;
mod settings;
mod workers;

use self::{
    listeners::{Listeners, Paths},
    workers::Workers,
};

use crate::{
    config::{Config, DirectionConfig},
    control::{ControlClient, SystemResolver, dns::SharedResolver},
    discovery::{Channels, Discovery},
    drain,
    identity::Identity,
    inbound::{self, Inbound, metrics::InboundMetrics},
    limits::Limit,
    metrics::{LimitMetrics, Metrics},
    outbound::{self, Outbound, metrics::OutboundMetrics},
    policy::ServerPolicy,
    tls::Tls,
    transport::{listener::BindError, orig_dst::OriginalDst},
};
use std::{net::SocketAddr, num::NonZeroUsize, pin::pin, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Ports of the application whose policy is watched before a client asks; a pod
/// has few, and a range of thousands would be as many streams.
const WATCHED_PORTS: usize = 64;

/// A proxy that is built and bound, and not running yet.
pub struct App {
    listeners: Listeners,
    identity: Identity,
    dns: SharedResolver,
    paths: Paths,
    threads: NonZeroUsize,
    metrics: Metrics,
    drain: drain::Signal,
    grace: Duration,
    /// Policies of the ports we know of, watched from the start.
    _ports: Vec<watch::Receiver<Arc<ServerPolicy>>>,
}

/// Why a proxy can't start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A listener's address can't be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No identity with these settings.
    #[error(transparent)]
    Identity(#[from] crate::identity::IdentityError),
    /// DNS can't be set up.
    #[error(transparent)]
    Dns(#[from] crate::control::DnsError),
    /// The system gives no more threads.
    #[error("cannot start a thread for traffic: {0}; lower CORES")]
    Thread(std::io::Error),
}

impl App {
    /// Builds everything and binds the listeners; needs a runtime.
    ///
    /// # Errors
    /// [`AppError`] says what can't be had.
    pub fn build(config: Config, metrics: Metrics) -> Result<Self, AppError> {
        let inbound_metrics = InboundMetrics::new(metrics.clone());
        let outbound_metrics = OutboundMetrics::new(metrics.clone());
        let listeners =
            Listeners::bind(&config, &inbound_metrics.limits, &outbound_metrics.limits)?;
        let identity = Identity::new(config.identity.clone())?;
        let dns: SharedResolver = Arc::new(SystemResolver::new(config.dns.clone())?);
        let discovery = discovery(&config, &identity, &dns, &metrics)?;
        let tls = Tls::new(identity.credentials().clone());
        let (signal, watch) = drain::channel();
        let ports = config.inbound.ports.iter().take(WATCHED_PORTS);
        let ports = ports
            .filter_map(|port| discovery.inbound(port).ok())
            .collect();
        let inbound = Inbound::new(inbound::Parts {
            settings: settings::inbound(&config.inbound, listeners.addrs()),
            discovery: discovery.clone(),
            tls: tls.clone(),
            in_flight: in_flight(&config.inbound.common, &inbound_metrics.limits),
            metrics: inbound_metrics,
            drain: watch.clone(),
        });
        let outbound = Outbound::new(outbound::Parts {
            settings: settings::outbound(&config.outbound, listeners.outbound_addrs()),
            discovery,
            tls,
            in_flight: in_flight(&config.outbound.common, &outbound_metrics.limits),
            metrics: outbound_metrics,
            drain: watch,
        });
        Ok(Self {
            listeners,
            identity,
            dns,
            paths: Paths { inbound, outbound },
            threads: config.cores,
            metrics,
            drain: signal,
            grace: config.shutdown_grace_period,
            _ports: ports,
        })
    }

    /// Asks these instead of the kernel where redirected connections were meant
    /// to go: how tests run the redirected paths without netfilter.
    #[must_use]
    pub fn redirected_by(
        mut self,
        inbound: Arc<dyn OriginalDst>,
        outbound: Arc<dyn OriginalDst>,
    ) -> Self {
        self.listeners = self.listeners.redirected_by(&inbound, &outbound);
        self
    }

    /// True once there is a certificate.
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.identity.credentials().ready()
    }

    /// Where the outbound listeners are bound.
    pub fn outbound_addrs(&self) -> Vec<SocketAddr> {
        self.listeners.outbound_addrs()
    }

    /// Where the inbound listener is bound.
    pub fn inbound_addr(&self) -> SocketAddr {
        self.listeners.inbound_addr()
    }

    /// Serves until `shutdown`, then drains.
    ///
    /// # Errors
    /// When the identity service's name is no identity, or threads can't be had.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<drain::Drained, AppError> {
        let mut ready = self.ready();
        let observer = control::observer(&self.metrics, "identity", &self.identity.addr());
        let certificate = control::certificate(&self.metrics);
        let trust = self.identity.credentials().trust().clone();
        let mut anchors = pin!(control::trust_anchors(&self.metrics, trust));
        let mut certify = pin!(self.identity.run(self.dns, observer, certificate));
        let mut workers = Workers::default();
        let serve = async {
            // The sender lives in the credentials that `certify` holds.
            let _ = ready.wait_for(|ready| *ready).await;
            tracing::info!(threads = self.threads, "Certified; serving");
            let more = self.threads.get() - 1;
            let job = worker(&self.listeners, &self.paths);
            workers.start(more, &self.drain.watch(), job)?;
            self.listeners.serve(self.paths).await;
            Ok(())
        };
        tokio::select! {
            failed = &mut certify => match failed? {},
            told = &mut anchors => match told {},
            served = serve => served.map_err(AppError::Thread)?,
            () = shutdown => {}
        }
        tracing::info!(grace = ?self.grace, "Draining");
        // Longer than a certificate may live: what is open needs one to connect.
        let drained = tokio::select! {
            failed = certify => match failed? {},
            drained = self.drain.drain(self.grace) => drained,
        };
        tracing::info!(?drained, "Drained");
        Ok(drained)
    }
}

/// What another thread does: the same, beside the first.
fn worker(
    listeners: &Listeners,
    paths: &Paths,
) -> impl AsyncFnOnce() + Clone + Send + 'static + use<> {
    let (places, paths) = (listeners.places(), paths.clone());
    async move || match places.listen() {
        Ok(listeners) => listeners.serve(paths).await,
        Err(error) => tracing::error!(%error, "Worker can't listen; the others serve"),
    }
}

fn in_flight(config: &DirectionConfig, metrics: &LimitMetrics) -> Limit {
    let shed = metrics.requests_shed.clone();
    Limit::new("requests in flight", config.max_in_flight, shed)
}

fn discovery(
    config: &Config,
    identity: &Identity,
    dns: &SharedResolver,
    metrics: &Metrics,
) -> Result<Discovery, AppError> {
    let client = |name: &'static str, config: &crate::control::ControlConfig| {
        let tls = identity.mutual_tls(&config.addr)?;
        let observer = control::observer(metrics, name, &config.addr);
        let client = ControlClient::new(config.clone(), tls, dns.clone(), observer);
        let channel = client.channel();
        // The first connection of the application waits for its discovery no longer than `initial_timeout`, which should not go by with
        // handshakes: what is not discovered then is forwarded as it is, unencrypted.
        tokio::spawn(async move { client.warm().await });
        Ok::<_, AppError>(channel)
    };
    let channels = Channels {
        policy: client("policy", &config.policy)?,
        destination: client("destination", &config.destination)?,
    };
    Ok(Discovery::new(
        config.discovery.clone(),
        channels,
        dns.clone(),
    ))
}
