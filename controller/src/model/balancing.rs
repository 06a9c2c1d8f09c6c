//! Which balancing algorithm a service asks for.

use super::{
    Index,
    authority::ServiceName,
    query::{Dependency, Query},
};
use std::str::FromStr;

/// The Service annotation that chooses.
pub(crate) const ANNOTATION: &str = "balancer.mesh.dev/policy";

/// A balancing algorithm of the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    PeakEwma,
    RoundRobin,
    LeastRequest,
    Random,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "peak-ewma" => Ok(Self::PeakEwma),
            "round-robin" => Ok(Self::RoundRobin),
            "least-request" => Ok(Self::LeastRequest),
            "random" => Ok(Self::Random),
            other => Err(format!(
                "{other:?} is none of peak-ewma, round-robin, least-request, random"
            )),
        }
    }
}

/// The choice of one service, whatever its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BalancingQuery {
    pub(crate) namespace: String,
    pub(crate) service: String,
}

impl From<ServiceName> for BalancingQuery {
    fn from(name: ServiceName) -> Self {
        Self {
            namespace: name.namespace,
            service: name.name,
        }
    }
}

impl Query for BalancingQuery {
    type View = Choice;

    fn view(&self, index: &Index) -> Option<Choice> {
        let service = index.service(&self.namespace, &self.service)?;
        (!service.external).then_some(service.balancing)
    }

    fn dependency(&self, _: &Index) -> Dependency {
        Dependency::service(&self.namespace, &self.service)
    }
}
