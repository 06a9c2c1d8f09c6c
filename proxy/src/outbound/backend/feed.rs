//! What a balancer is told: its endpoints and its policy.

use crate::{
    discovery::{BalancingChoice, Discovery, Endpoint, EndpointUpdate},
    policy::{Backend, Dispatch, EndpointMeta, PeakEwma},
};
use mesh_balancer::{Balancer, Gate, Policy, Target, Update};
use std::{net::SocketAddr, sync::Arc};

/// By how many typical latencies a failing endpoint costs more, at most: enough
/// that it gets less than its share, too little to starve it for one error.
const FAILURE_PENALTY: f64 = 10.0;

/// Makes the service of one endpoint, of what the balancer has.
pub(super) type MakeGated<T> =
    Box<dyn Fn(&SocketAddr, &Arc<EndpointMeta>, Gate) -> T + Send + Sync>;

/// Keeps a balancer's endpoints and policy as the control plane says.
pub(super) async fn feed<T>(
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

pub(super) fn peak_ewma(ewma: &PeakEwma) -> Policy {
    Policy::PeakEwma {
        default_rtt: ewma.default_rtt,
        decay: ewma.decay,
        failure_penalty: FAILURE_PENALTY,
    }
}
