//! Backends: balancers with their endpoints, shared by all that use them.
//!
//! All connections to a service share one balancer, and so its connections and
//! load estimates, whether they came by its cluster IP or by name, and over
//! HTTP/1 or HTTP/2. A forward to one address is a balancer with one endpoint,
//! which answers a failure to connect at once: it has no other to wait for.

use super::{
    Settings,
    endpoint::{HttpEndpoint, HttpTrack, LastRefusal, Reports, TcpEndpoint},
    metrics::OutboundMetrics,
};
use crate::{
    cache::Cache,
    discovery::{BalancingChoice, Discovery, Endpoint, EndpointUpdate},
    drain,
    metrics::BalancerKind,
    policy::{Backend, Dispatch, EndpointMeta, Hint, PeakEwma, Queue},
    tls::Tls,
    transport::connect::{Connector, HeaderFor},
};
use mesh_balancer::{
    Balance, Balancer, Config, Gate, OnResponse, Policy, QueueConfig, Target, Update,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// By how many typical latencies a failing endpoint costs more, at most: enough
/// that it gets less than its share, too little to starve it for one error.
const FAILURE_PENALTY: f64 = 10.0;

/// All backends in use, and those used a while ago.
pub struct Backends {
    factory: Arc<Factory>,
    http: Cache<Arc<Backend>, HttpBackend>,
    tcp: Cache<Arc<Backend>, TcpBackend>,
}

/// Makes endpoints and feeds their balancers.
struct Factory {
    settings: Settings,
    discovery: Discovery,
    tls: Tls,
    metrics: OutboundMetrics,
    drain: drain::Watch,
    /// Where balancers are fed, whichever thread asks first.
    runtime: Handle,
}

/// A balancer with what feeds it.
pub struct Fed<T, Tr> {
    /// The balancer as a service.
    pub balance: Balance<SocketAddr, T, Tr>,
    /// Why an endpoint last refused.
    pub refusal: LastRefusal,
    _feed: AbortOnDropHandle<()>,
}

/// A backend that takes HTTP requests.
pub type HttpBackend = Fed<HttpEndpoint, HttpTrack>;
/// A backend that takes opaque connections.
pub type TcpBackend = Fed<TcpEndpoint, OnResponse>;

/// Makes the service of one endpoint.
type Make<T> = Box<dyn Fn(&SocketAddr, &Arc<EndpointMeta>, Reports) -> T + Send + Sync>;

/// The same with nothing but the gate, as the balancer has it.
type MakeGated<T> = Box<dyn Fn(&SocketAddr, &Arc<EndpointMeta>, Gate) -> T + Send + Sync>;

impl Backends {
    /// No backends yet.
    pub fn new(
        settings: &Settings,
        discovery: Discovery,
        tls: Tls,
        metrics: OutboundMetrics,
        drain: drain::Watch,
    ) -> Self {
        Self {
            http: Cache::new(settings.idle),
            tcp: Cache::new(settings.idle),
            factory: Arc::new(Factory {
                settings: settings.clone(),
                discovery,
                tls,
                metrics,
                drain,
                runtime: Handle::current(),
            }),
        }
    }

    /// The backend for HTTP requests.
    pub fn http(&self, backend: &Arc<Backend>) -> Arc<HttpBackend> {
        self.http.get_or_insert(backend, || {
            let (factory, authority) = (self.factory.clone(), backend.authority());
            let make = Box::new(
                move |addr: &SocketAddr, meta: &Arc<EndpointMeta>, reports| {
                    factory.http_endpoint(*addr, meta, authority.as_deref(), reports)
                },
            );
            self.factory
                .feed(backend, BalancerKind::OutboundHttp, make, HttpTrack)
        })
    }

    /// The backend for opaque connections.
    pub fn tcp(&self, backend: &Arc<Backend>) -> Arc<TcpBackend> {
        self.tcp.get_or_insert(backend, || {
            let (factory, authority) = (self.factory.clone(), backend.authority());
            let make = Box::new(
                move |addr: &SocketAddr, meta: &Arc<EndpointMeta>, reports| {
                    let connector = factory.connector(*addr, meta, authority.as_deref());
                    TcpEndpoint::new(connector, reports, &factory.settings)
                },
            );
            self.factory
                .feed(backend, BalancerKind::OutboundTcp, make, OnResponse)
        })
    }
}

impl Factory {
    fn feed<T, Tr>(
        &self,
        backend: &Arc<Backend>,
        kind: BalancerKind,
        make: Make<T>,
        track: Tr,
    ) -> Fed<T, Tr>
    where
        T: Send + Sync + 'static,
    {
        let queue = self.queue(kind, backend.queue);
        let timeout = queue.failfast_timeout;
        let observer = self.metrics.balancer(kind, &backend.meta, timeout);
        let policy = match &backend.dispatch {
            Dispatch::Forward { .. } => Policy::Random,
            Dispatch::Balance { ewma, .. } => peak_ewma(ewma),
        };
        let balancer = Balancer::with_observer(Config { policy }, observer);
        let refusal = LastRefusal::default();
        let told = refusal.clone();
        let alone = matches!(backend.dispatch, Dispatch::Forward { .. });
        let make = Box::new(move |addr: &SocketAddr, meta: &Arc<EndpointMeta>, gate| {
            let refusal = told.clone();
            let reports = Reports {
                gate,
                refusal,
                alone,
            };
            make(addr, meta, reports)
        });
        let feed = feed(
            self.discovery.clone(),
            backend.clone(),
            balancer.clone(),
            make,
        );
        Fed {
            balance: Balance::new(balancer, queue, track),
            refusal,
            _feed: AbortOnDropHandle::new(self.runtime.spawn(feed)),
        }
    }

    /// What the policy says of the queue, else our settings.
    fn queue(&self, kind: BalancerKind, policy: Queue) -> QueueConfig {
        let default = match kind {
            BalancerKind::OutboundHttp => self.settings.http_queue,
            _ => self.settings.tcp_queue,
        };
        QueueConfig {
            capacity: policy.capacity.unwrap_or(default.capacity),
            failfast_timeout: policy.failfast_timeout.unwrap_or(default.failfast_timeout),
        }
    }

    fn http_endpoint(
        &self,
        addr: SocketAddr,
        meta: &EndpointMeta,
        authority: Option<&str>,
        reports: Reports,
    ) -> HttpEndpoint {
        HttpEndpoint::new(
            self.connector(addr, meta, authority),
            meta,
            self.metrics.endpoint(addr, meta, authority),
            reports,
            &self.settings,
            self.drain.clone(),
        )
    }

    fn connector(
        &self,
        addr: SocketAddr,
        meta: &EndpointMeta,
        authority: Option<&str>,
    ) -> Connector {
        // The header names the real port to the peer's inbound port. It needs
        // mutual TLS, so without an identity there is none.
        let transport_port = meta.identity.as_ref().and(meta.transport_port);
        Connector {
            addr: SocketAddr::new(addr.ip(), transport_port.unwrap_or(addr.port())),
            security: self
                .tls
                .client(meta.identity.as_ref(), transport_port.is_some()),
            header: transport_port.map(|_| HeaderFor {
                port: addr.port(),
                opaque: meta.hint == Hint::Opaque,
            }),
            timeout: self.settings.connect_timeout,
            sockets: self.settings.connect,
            own: self.settings.listeners.clone(),
            metrics: self.metrics.tcp_endpoint(addr, meta, authority),
        }
    }
}

/// Keeps a balancer's endpoints and policy as the control plane says.
async fn feed<T>(
    discovery: Discovery,
    backend: Arc<Backend>,
    balancer: Balancer<SocketAddr, T>,
    make: MakeGated<T>,
) where
    T: Send + Sync + 'static,
{
    let (authority, ewma) = match &backend.dispatch {
        Dispatch::Forward { addr, meta } => {
            let target = Target::new(*addr, meta.clone());
            balancer.update(Update::Reset(vec![target]), &make);
            return;
        }
        Dispatch::Balance { authority, ewma } => (authority, ewma),
    };
    let mut endpoints = discovery.endpoints(authority);
    let mut choice = discovery.balancing(authority);
    choice.mark_changed();
    loop {
        tokio::select! {
            changed = choice.changed() => {
                if changed.is_err() {
                    return;
                }
                let chosen = *choice.borrow_and_update();
                balancer.set_policy(&policy(chosen, ewma));
            }
            update = endpoints.next() => match update {
                Some(update) => balancer.update(convert(update), &make),
                None => return,
            },
        }
    }
}

fn convert(update: EndpointUpdate) -> Update<SocketAddr, Arc<EndpointMeta>> {
    let targets = |endpoints: Vec<Endpoint>| {
        let target = |Endpoint { addr, weight, meta }| Target {
            key: addr,
            weight,
            meta,
        };
        endpoints.into_iter().map(target).collect()
    };
    match update {
        EndpointUpdate::Reset(endpoints) => Update::Reset(targets(endpoints)),
        EndpointUpdate::Add(endpoints) => Update::Add(targets(endpoints)),
        EndpointUpdate::Remove(addrs) => Update::Remove(addrs),
        EndpointUpdate::Empty { exists } => Update::Empty { exists },
    }
}

fn policy(choice: BalancingChoice, ewma: &PeakEwma) -> Policy {
    match choice {
        BalancingChoice::PeakEwma => peak_ewma(ewma),
        BalancingChoice::RoundRobin => Policy::RoundRobin,
        BalancingChoice::LeastRequest => Policy::LeastRequest,
        BalancingChoice::Random => Policy::Random,
    }
}

fn peak_ewma(ewma: &PeakEwma) -> Policy {
    Policy::PeakEwma {
        default_rtt: ewma.default_rtt,
        decay: ewma.decay,
        failure_penalty: FAILURE_PENALTY,
    }
}
