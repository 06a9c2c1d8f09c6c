//! `OutboundPolicies`: one route to the service's balancer, as Linkerd's
//! controller answers for a Service without routes.

use super::{Shared, serve::changes, state::ServiceState};
use futures::{StreamExt, stream::BoxStream};
use linkerd2_proxy_api::{
    meta::{Metadata, Resource, metadata},
    outbound::{
        Backend, HttpRoute, OpaqueRoute, OutboundPolicy, ProxyProtocol, Queue, TrafficSpec,
        backend::{self, BalanceP2c, EndpointDiscovery, balance_p2c, endpoint_discovery},
        http_route, opaque_route,
        outbound_policies_server::OutboundPolicies,
        proxy_protocol::{Detect, Http1, Http2, Kind, Opaque},
        traffic_spec,
    },
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tonic::{Request, Response, Status, async_trait};

pub(super) struct OutboundService(pub(super) Arc<Shared>);

#[async_trait]
impl OutboundPolicies for OutboundService {
    type WatchStream = BoxStream<'static, Result<OutboundPolicy, Status>>;

    async fn get(&self, _: Request<TrafficSpec>) -> Result<Response<OutboundPolicy>, Status> {
        Err(Status::unimplemented("proxies watch"))
    }

    async fn watch(
        &self,
        request: Request<TrafficSpec>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let target = match request.into_inner().target {
            Some(traffic_spec::Target::Authority(authority)) => authority,
            Some(traffic_spec::Target::Addr(addr)) => SocketAddr::try_from(addr)
                .map_err(|error| Status::invalid_argument(error.to_string()))?
                .to_string(),
            None => return Err(Status::invalid_argument("no target")),
        };
        let state = self.0.watch(&target);
        let state = state.ok_or_else(|| Status::not_found(format!("no service {target}")))?;
        Ok(Response::new(changes(state, policy).map(Ok).boxed()))
    }
}

fn policy(state: &ServiceState) -> OutboundPolicy {
    let opaque = Opaque {
        routes: vec![opaque_route(state)],
    };
    let kind = if state.opaque {
        Kind::Opaque(opaque)
    } else {
        let routes = vec![http_route(state)];
        Kind::Detect(Detect {
            timeout: Some(duration(state.detect_timeout)),
            opaque: Some(opaque),
            http1: Some(Http1 {
                routes: routes.clone(),
                failure_accrual: None,
            }),
            http2: Some(Http2 {
                routes,
                failure_accrual: None,
            }),
        })
    };
    OutboundPolicy {
        protocol: Some(proxy_protocol(kind)),
        metadata: Some(service(state)),
    }
}

fn proxy_protocol(kind: Kind) -> ProxyProtocol {
    ProxyProtocol { kind: Some(kind) }
}

fn http_route(state: &ServiceState) -> HttpRoute {
    use http_route::{Distribution, RouteBackend, Rule, distribution};
    let backend = RouteBackend {
        backend: Some(backend(state)),
        ..RouteBackend::default()
    };
    let first = distribution::FirstAvailable {
        backends: vec![backend],
    };
    HttpRoute {
        metadata: Some(default("http")),
        hosts: Vec::new(),
        rules: vec![Rule {
            backends: Some(Distribution {
                kind: Some(distribution::Kind::FirstAvailable(first)),
            }),
            ..Rule::default()
        }],
    }
}

fn opaque_route(state: &ServiceState) -> OpaqueRoute {
    use opaque_route::{Distribution, RouteBackend, Rule, distribution};
    let backend = RouteBackend {
        backend: Some(backend(state)),
        ..RouteBackend::default()
    };
    let first = distribution::FirstAvailable {
        backends: vec![backend],
    };
    OpaqueRoute {
        metadata: Some(default("opaque")),
        rules: vec![Rule {
            backends: Some(Distribution {
                kind: Some(distribution::Kind::FirstAvailable(first)),
            }),
            ..Rule::default()
        }],
    }
}

fn backend(state: &ServiceState) -> Backend {
    let path = state.authority.clone();
    let dst = endpoint_discovery::DestinationGet { path };
    let queue = state.queue.map(|(capacity, failfast)| Queue {
        capacity,
        failfast_timeout: Some(duration(failfast)),
    });
    Backend {
        metadata: Some(service(state)),
        kind: Some(backend::Kind::Balancer(BalanceP2c {
            discovery: Some(EndpointDiscovery {
                kind: Some(endpoint_discovery::Kind::Dst(dst)),
            }),
            load: Some(balance_p2c::Load::PeakEwma(balance_p2c::PeakEwma {
                default_rtt: Some(duration(Duration::from_millis(30))),
                decay: Some(duration(Duration::from_secs(10))),
            })),
        })),
        queue,
    }
}

fn service(state: &ServiceState) -> Metadata {
    let (host, port) = state.authority.rsplit_once(':').unwrap();
    let mut labels = host.split('.').map(str::to_owned);
    Metadata {
        kind: Some(metadata::Kind::Resource(Resource {
            group: "core".into(),
            kind: "Service".into(),
            name: labels.next().unwrap_or_default(),
            namespace: labels.next().unwrap_or_default(),
            section: String::new(),
            port: port.parse().unwrap(),
        })),
    }
}

pub(super) fn default(name: &str) -> Metadata {
    Metadata {
        kind: Some(metadata::Kind::Default(name.into())),
    }
}

pub(super) fn duration(duration: Duration) -> prost_types::Duration {
    duration.try_into().unwrap()
}
