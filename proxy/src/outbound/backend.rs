//! Backends: balancers with their endpoints, shared by all that use them.
//!
//! All connections to a service share one balancer, and so its connections and
//! load estimates, whether they came by its cluster IP or by name, and over
//! HTTP/1 or HTTP/2. A forward to one address is a balancer with one endpoint,
//! which answers a failure to connect at once: it has no other to wait for.

mod feed;

use self::feed::{feed, peak_ewma};
use super::{
    Settings,
    endpoint::{HttpEndpoint, HttpTrack, LastRefusal, Reports, TcpEndpoint},
    metrics::OutboundMetrics,
};
use crate::{
    cache::Cache,
    discovery::Discovery,
    drain,
    metrics::BalancerKind,
    policy::{Backend, Dispatch, EndpointMeta, Hint, Queue},
    tls::Tls,
    transport::connect::{Connector, HeaderFor},
};
use mesh_balancer::{Balance, Balancer, Config, OnResponse, Policy, QueueConfig};
use std::{net::SocketAddr, sync::Arc};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

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
