//! What a target's traffic is to go through, kept in step with its policy.
//!
//! A target's routes are built once per policy, not per request: a request
//! compares one pointer to see that they are still right.

use super::{
    backend::{HttpBackend, TcpBackend},
    metrics::{ByProtocol, OutboundMetrics, TargetMetrics},
};
use crate::{
    cache::Cache,
    discovery::Lookup,
    http::Version,
    metrics::{BackendMetrics, RouteMetrics},
    policy::{Backend, Metadata, OutboundPolicy, Protocol, Route, RouteAction, Target},
};
use arc_swap::ArcSwap;
use http::StatusCode;
use rand::Rng;
use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

/// Targets by address or name.
pub type Targets = Cache<Target, TargetStack>;

/// A target with its routes.
pub struct TargetStack {
    name: Arc<str>,
    addr: Option<SocketAddr>,
    lookup: Lookup<OutboundPolicy>,
    routes: ArcSwap<Routes>,
}

/// The routes made of one policy.
pub struct Routes {
    policy: Arc<OutboundPolicy>,
    /// Numbers of the target's connections.
    pub metrics: TargetMetrics,
    /// For HTTP/1 requests.
    pub http1: Routed<HttpBackend>,
    /// For HTTP/2 requests.
    pub http2: Routed<HttpBackend>,
    /// For opaque connections.
    pub tcp: Routed<TcpBackend>,
}

/// A route with the backends of its protocol.
pub struct Routed<B> {
    /// Numbers of the route.
    pub metrics: ByProtocol<RouteMetrics>,
    /// What it does.
    pub action: Action<B>,
}

/// A backend of a route, made when it is first chosen: most targets speak one
/// protocol, and a balancer for each they might speak would be idle.
pub struct Choice<B> {
    policy: Arc<Backend>,
    backend: OnceLock<Arc<B>>,
    /// Numbers of what the route sends there.
    pub metrics: ByProtocol<BackendMetrics>,
}

impl<B> Choice<B> {
    /// The backend, made by `make` if it was not chosen before.
    pub fn backend(&self, make: impl FnOnce(&Arc<Backend>) -> Arc<B>) -> &B {
        self.backend.get_or_init(|| make(&self.policy))
    }
}

/// What a route does with its traffic.
pub enum Action<B> {
    /// Sends it to one of these, by weight.
    Dispatch(Vec<(Choice<B>, u32)>),
    /// Refuses it.
    Fail {
        /// HTTP status.
        status: StatusCode,
        /// Why.
        message: Arc<str>,
    },
}

impl TargetStack {
    /// The stack of a looked-up target.
    pub fn new(target: &Target, lookup: Lookup<OutboundPolicy>, metrics: &OutboundMetrics) -> Self {
        let addr = match target {
            Target::Addr(addr) => Some(*addr),
            Target::Name(_) => None,
        };
        let routes = Routes::new(lookup.current(), addr, metrics);
        Self {
            name: target.to_string().into(),
            addr,
            lookup,
            routes: ArcSwap::from_pointee(routes),
        }
    }

    /// The target, for errors.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<OutboundPolicy> {
        self.lookup.current()
    }

    /// The routes of the policy in force.
    pub fn routes(&self, metrics: &OutboundMetrics) -> Arc<Routes> {
        let policy = self.lookup.current();
        let routes = self.routes.load_full();
        if Arc::ptr_eq(&routes.policy, &policy) {
            return routes;
        }
        let routes = Arc::new(Routes::new(policy, self.addr, metrics));
        self.routes.store(routes.clone());
        routes
    }
}

impl Routes {
    fn new(
        policy: Arc<OutboundPolicy>,
        addr: Option<SocketAddr>,
        metrics: &OutboundMetrics,
    ) -> Self {
        // A protocol that the policy has no route for takes the one it has: a
        // client that says it speaks HTTP is believed on an opaque port.
        let (http1, http2, opaque) = match &policy.protocol {
            Protocol::Detect {
                http1,
                http2,
                opaque,
                ..
            } => (http1, http2, opaque),
            Protocol::Http1(route)
            | Protocol::Http2(route)
            | Protocol::Opaque(route)
            | Protocol::Tls(route) => (route, route, route),
        };
        let parent = &policy.parent;
        Self {
            metrics: metrics.target(&policy, addr),
            http1: Routed::new(parent, http1, metrics),
            http2: Routed::new(parent, http2, metrics),
            tcp: Routed::new(parent, opaque, metrics),
            policy,
        }
    }

    /// The route for HTTP requests of a version.
    pub fn http(&self, version: Version) -> &Routed<HttpBackend> {
        match version {
            Version::Http1 => &self.http1,
            Version::H2 => &self.http2,
        }
    }
}

impl<B> Routed<B> {
    fn new(parent: &Metadata, route: &Route, metrics: &OutboundMetrics) -> Self {
        let choice = |policy: &Arc<Backend>| Choice {
            policy: policy.clone(),
            backend: OnceLock::new(),
            metrics: metrics.backend(parent, &route.meta, &policy.meta),
        };
        let action = match &route.action {
            RouteAction::Dispatch(backends) => Action::Dispatch(
                backends
                    .iter()
                    .map(|(policy, weight)| (choice(policy), *weight))
                    .collect(),
            ),
            RouteAction::Fail { status, message } => Action::Fail {
                status: *status,
                message: message.clone(),
            },
        };
        Self {
            metrics: metrics.route(parent, &route.meta),
            action,
        }
    }
}

/// One of `choices`, by weight; `None` if there are none of positive weight.
pub fn choose<B>(choices: &[(B, u32)]) -> Option<&B> {
    if let [(only, _)] = choices {
        return Some(only);
    }
    let total: u64 = choices.iter().map(|(_, weight)| u64::from(*weight)).sum();
    if total == 0 {
        return None;
    }
    let mut point = rand::rng().random_range(0..total);
    for (choice, weight) in choices {
        match point.checked_sub(u64::from(*weight)) {
            Some(rest) => point = rest,
            None => return Some(choice),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_decide_and_nothing_is_chosen_of_nothing() {
        assert_eq!(choose::<u8>(&[]), None);
        assert_eq!(choose(&[(1, 0), (2, 0)]), None);
        assert_eq!(choose(&[(1, 0)]), Some(&1));
        for _ in 0..100 {
            assert_eq!(choose(&[(1, 0), (2, 7), (3, 0)]), Some(&2));
        }
    }
}
