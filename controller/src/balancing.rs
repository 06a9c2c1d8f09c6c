//! `mesh.balancing.v1.Balancing`: which algorithm a service asks for.

use crate::{
    destination::{authority, unknown_name, unknown_service},
    generated::balancing::{
        BalancingPolicy, LeastRequest, PeakEwma, Random, RoundRobin, WatchRequest,
        balancing_policy::Kind, balancing_server,
    },
    grpc::frames::{self, Unframed},
    hub::Hub,
    metrics::Rpc,
    model::{
        authority::Authority,
        balancing::{BalancingQuery, Choice},
    },
    stream::{self, Limits, Updates},
};
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The service, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Balancing {
    hub: Arc<Hub>,
    limits: Limits,
    domain: Arc<str>,
}

impl Balancing {
    pub(crate) fn new(hub: Arc<Hub>, limits: Limits, domain: &str) -> Self {
        Self {
            hub,
            limits,
            domain: domain.into(),
        }
    }

    fn choices(&self, request: &WatchRequest) -> Result<Updates<BalancingPolicy>, Status> {
        let service = match authority(&request.authority, &self.domain)? {
            Authority::Service(service) => service,
            Authority::Address(address) => return Err(unknown_name(&address.to_string())),
            Authority::Other(name) => return Err(unknown_name(&name)),
        };
        let missing = unknown_service(&service);
        let watch = self.hub.watch(BalancingQuery::from(service));
        if watch.borrow().is_none() {
            return Err(missing);
        }
        let next = stream::latest(|choice| message(*choice));
        Ok(stream::start(
            Rpc::WatchBalancing,
            &self.limits,
            watch,
            next,
        ))
    }
}

#[tonic::async_trait]
impl balancing_server::Balancing for Balancing {
    type WatchStream = Unframed<BalancingPolicy>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Rpc::WatchBalancing.answered(self.choices(request.get_ref()).map(frames::response))
    }
}

fn message(choice: Choice) -> BalancingPolicy {
    let kind = match choice {
        Choice::PeakEwma => Kind::PeakEwma(PeakEwma {}),
        Choice::RoundRobin => Kind::RoundRobin(RoundRobin {}),
        Choice::LeastRequest => Kind::LeastRequest(LeastRequest {}),
        Choice::Random => Kind::Random(Random {}),
    };
    BalancingPolicy { kind: Some(kind) }
}
