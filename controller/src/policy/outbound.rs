//! `OutboundPolicies`: what a client's proxy does with a target.

mod message;
mod tuning;

use crate::{
    destination::{authority, unknown_name, unknown_service},
    grpc::frames::{self, Unframed},
    hub::Hub,
    metrics::Rpc,
    model::{authority::Authority, outbound::OutboundQuery},
    stream::{self, Limits, Updates},
};
use linkerd2_proxy_api::{
    net::TcpAddress,
    outbound::{
        OutboundPolicy, TrafficSpec, outbound_policies_server::OutboundPolicies,
        traffic_spec::Target,
    },
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tonic::{Request, Response, Status};

/// The service, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    hub: Arc<Hub>,
    limits: Limits,
    domain: Arc<str>,
}

impl Outbound {
    pub(crate) fn new(hub: Arc<Hub>, limits: Limits, domain: &str) -> Self {
        Self {
            hub,
            limits,
            domain: domain.into(),
        }
    }

    fn get(&self, spec: &TrafficSpec) -> Result<OutboundPolicy, Status> {
        let query = self.query(spec)?;
        let view = self.hub.get(&query).ok_or_else(|| unknown(&query))?;
        Ok(message::policy(&view, &self.domain))
    }

    fn watch(&self, spec: &TrafficSpec) -> Result<Updates<OutboundPolicy>, Status> {
        let query = self.query(spec)?;
        let missing = unknown(&query);
        let watch = self.hub.watch(query);
        if watch.borrow().is_none() {
            return Err(missing);
        }
        let domain = self.domain.clone();
        let next = stream::latest(move |view| message::policy(view, &domain));
        Ok(stream::start(Rpc::WatchOutbound, &self.limits, watch, next))
    }

    fn query(&self, spec: &TrafficSpec) -> Result<OutboundQuery, Status> {
        match &spec.target {
            None => Err(Status::invalid_argument("the request names no target")),
            Some(Target::Addr(address)) => Ok(OutboundQuery::Address(socket_address(address)?)),
            Some(Target::Authority(text)) => match authority(text, &self.domain)? {
                Authority::Address(address) => Ok(OutboundQuery::Address(address)),
                Authority::Service(service) => Ok(OutboundQuery::Service(service)),
                Authority::Other(name) => Err(unknown_name(&name)),
            },
        }
    }
}

#[tonic::async_trait]
impl OutboundPolicies for Outbound {
    type WatchStream = Unframed<OutboundPolicy>;

    async fn get(&self, request: Request<TrafficSpec>) -> Result<Response<OutboundPolicy>, Status> {
        Rpc::GetOutbound.answered(self.get(request.get_ref()).map(Response::new))
    }

    async fn watch(
        &self,
        request: Request<TrafficSpec>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Rpc::WatchOutbound.answered(self.watch(request.get_ref()).map(frames::response))
    }
}

fn socket_address(address: &TcpAddress) -> Result<SocketAddr, Status> {
    let ip = address
        .ip
        .ok_or_else(|| Status::invalid_argument("the address has no IP"))?;
    let ip = IpAddr::try_from(ip).map_err(|_| Status::invalid_argument("the address has no IP"))?;
    let port = u16::try_from(address.port).ok().filter(|port| *port > 0);
    let bad = || Status::invalid_argument(format!("port {} is not in 1-65535", address.port));
    Ok(SocketAddr::new(ip, port.ok_or_else(bad)?))
}

fn unknown(query: &OutboundQuery) -> Status {
    match query {
        OutboundQuery::Service(service) => unknown_service(service),
        OutboundQuery::Address(address) => {
            Status::not_found(format!("no service has the address {}", address.ip()))
        }
    }
}
