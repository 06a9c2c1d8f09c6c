//! Backends: where, with which balancer parameters, behind which queue.

use super::super::{InField as _, Invalid, duration, endpoint::endpoint, metadata};
use crate::policy::{Backend, Dispatch, PeakEwma, Queue};
use linkerd2_proxy_api::outbound::{
    self as api, backend,
    backend::{balance_p2c::Load, endpoint_discovery},
};
use std::collections::HashMap;

pub(super) fn backend(backend: api::Backend) -> Result<Backend, Invalid> {
    let dispatch = match backend.kind.ok_or_else(|| Invalid::missing("kind"))? {
        backend::Kind::Forward(addr) => {
            let endpoint = endpoint(addr, &HashMap::new()).in_field("forward")?;
            Dispatch::Forward {
                addr: endpoint.addr,
                meta: endpoint.meta,
            }
        }
        backend::Kind::Balancer(balancer) => balance(balancer).in_field("balancer")?,
    };
    Ok(Backend {
        meta: metadata(backend.metadata),
        queue: queue(backend.queue).in_field("queue")?,
        dispatch,
    })
}

fn balance(balancer: backend::BalanceP2c) -> Result<Dispatch, Invalid> {
    let discovery = balancer.discovery.and_then(|discovery| discovery.kind);
    let Some(endpoint_discovery::Kind::Dst(dst)) = discovery else {
        return Err(Invalid::missing("discovery.dst"));
    };
    if dst.path.is_empty() {
        return Err(Invalid::new("discovery.dst.path", "is empty"));
    }
    let default = PeakEwma::default();
    let (rtt, decay) = match balancer.load {
        None => (None, None),
        Some(Load::PeakEwma(ewma)) => (ewma.default_rtt, ewma.decay),
        Some(Load::PenaltyPeakEwma(ewma)) => (ewma.default_rtt, ewma.decay),
    };
    let ewma = PeakEwma {
        default_rtt: duration("load.default_rtt", rtt)?.unwrap_or(default.default_rtt),
        decay: duration("load.decay", decay)?.unwrap_or(default.decay),
    };
    if ewma.decay.is_zero() {
        return Err(Invalid::new("load.decay", "is zero"));
    }
    Ok(Dispatch::Balance {
        authority: dst.path.into(),
        ewma,
    })
}

fn queue(queue: Option<api::Queue>) -> Result<Queue, Invalid> {
    let Some(queue) = queue else {
        return Ok(Queue::default());
    };
    let capacity = match queue.capacity {
        0 => return Err(Invalid::new("capacity", "is zero")),
        capacity => usize::try_from(capacity).unwrap_or(usize::MAX),
    };
    Ok(Queue {
        capacity: Some(capacity),
        failfast_timeout: duration("failfast_timeout", queue.failfast_timeout)?,
    })
}
