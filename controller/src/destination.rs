//! `Destination`: where a service's endpoints are, and what a target is.
//!
//! features.md 4.1 and 4.2 say what Linkerd does; differences of ours are listed
//! in docs/compatibility.md.

mod profile;
mod update;

use crate::{
    context::Context,
    grpc::frames::{self, Unframed},
    hub::Hub,
    metrics::Rpc,
    model::{
        authority::{Authority, ServiceName},
        endpoints::EndpointsQuery,
        profile::ProfileQuery,
    },
    stream::{self, Limits, Updates},
};
use linkerd2_proxy_api::destination::{
    DestinationProfile, GetDestination, Update, destination_server,
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    hub: Arc<Hub>,
    limits: Limits,
    domain: Arc<str>,
}

impl Destination {
    pub(crate) fn new(hub: Arc<Hub>, limits: Limits, domain: &str) -> Self {
        Self {
            hub,
            limits,
            domain: domain.into(),
        }
    }

    fn endpoints(&self, request: &GetDestination) -> Result<Updates<Update>, Status> {
        let service = match authority(&request.path, &self.domain)? {
            Authority::Address(address) => return Err(no_address(address.ip())),
            Authority::Service(service) => service,
            Authority::Other(name) => return Err(unknown_name(&name)),
        };
        let Context { node, .. } = Context::of_token(&request.context_token);
        let missing = unknown_service(&service);
        let watch = self.hub.watch(EndpointsQuery { service, node });
        let (known, external) = match &*watch.borrow() {
            None => (false, false),
            Some(view) => (true, view.external),
        };
        if external {
            return Err(Status::invalid_argument(format!(
                "{}: a Service of type ExternalName has no endpoints; resolve its name with DNS",
                request.path
            )));
        }
        if !known {
            return Err(missing);
        }
        let mut last = None;
        let next = move |view: &_| update::next(&mut last, view);
        Ok(stream::start(Rpc::Get, &self.limits, watch, next))
    }

    fn profile(&self, request: &GetDestination) -> Result<Updates<DestinationProfile>, Status> {
        let query = match authority(&request.path, &self.domain)? {
            Authority::Address(address) => ProfileQuery::Address(address),
            Authority::Service(service) => ProfileQuery::Service(service),
            Authority::Other(name) => return Err(unknown_name(&name)),
        };
        let missing = match &query {
            ProfileQuery::Service(service) => unknown_service(service),
            ProfileQuery::Address(address) => unknown_name(&address.to_string()),
        };
        let watch = self.hub.watch(query);
        if watch.borrow().is_none() {
            return Err(missing);
        }
        let domain = self.domain.clone();
        let next = stream::latest(move |view| profile::message(view, &domain));
        let next = profile::keeping_services(next);
        Ok(stream::start(Rpc::GetProfile, &self.limits, watch, next))
    }
}

#[tonic::async_trait]
impl destination_server::Destination for Destination {
    type GetStream = Unframed<Update>;
    type GetProfileStream = Unframed<DestinationProfile>;

    async fn get(
        &self,
        request: Request<GetDestination>,
    ) -> Result<Response<Self::GetStream>, Status> {
        Rpc::Get.answered(self.endpoints(request.get_ref()).map(frames::response))
    }

    async fn get_profile(
        &self,
        request: Request<GetDestination>,
    ) -> Result<Response<Self::GetProfileStream>, Status> {
        Rpc::GetProfile.answered(self.profile(request.get_ref()).map(frames::response))
    }
}

/// Parses what a client asks for.
pub(crate) fn authority(text: &str, domain: &str) -> Result<Authority, Status> {
    Authority::parse(text, domain).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// No service has this name; the client should ask DNS.
pub(crate) fn unknown_service(service: &ServiceName) -> Status {
    let ServiceName {
        namespace, name, ..
    } = service;
    Status::not_found(format!("service {namespace}/{name} not found"))
}

/// The name can't be a service's; the client should ask DNS.
pub(crate) fn unknown_name(name: &str) -> Status {
    Status::not_found(format!(
        "{name} is no service of this mesh (NAME.NAMESPACE[.svc.DOMAIN])"
    ))
}

fn no_address(ip: std::net::IpAddr) -> Status {
    Status::invalid_argument(format!(
        "{ip} is an IP address: Get answers for services only; GetProfile takes addresses"
    ))
}
