//! What a target's traffic is to go through, kept in step with its policy.
//!
//! A target's routes are built once per policy, not per request: a request
//! compares one pointer to see that they are still right.

use super::backend::{Backends, HttpBackend, TcpBackend};
use crate::{
    cache::Cache,
    discovery::Lookup,
    http::Version,
    metrics::{OutboundMetrics, RouteMetrics},
    policy::{Backend, OutboundPolicy, Protocol, Route, RouteAction, Target},
};
use arc_swap::ArcSwap;
use http::StatusCode;
use rand::Rng;
use std::sync::Arc;

/// Targets by address or name.
pub type Targets = Cache<Target, TargetStack>;

/// A target with its routes.
pub struct TargetStack {
    name: Arc<str>,
    lookup: Lookup<OutboundPolicy>,
    routes: ArcSwap<Routes>,
}

/// The routes made of one policy.
pub struct Routes {
    policy: Arc<OutboundPolicy>,
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
    pub metrics: Arc<RouteMetrics>,
    /// What it does.
    pub action: Action<B>,
}

/// What a route does with its traffic.
pub enum Action<B> {
    /// Sends it to one of these, by weight.
    Dispatch(Vec<(Arc<B>, u32)>),
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
    pub fn new(
        target: &Target,
        lookup: Lookup<OutboundPolicy>,
        backends: &Backends,
        metrics: &OutboundMetrics,
    ) -> Self {
        let routes = Routes::new(lookup.current(), backends, metrics);
        Self {
            name: target.to_string().into(),
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
    pub fn routes(&self, backends: &Backends, metrics: &OutboundMetrics) -> Arc<Routes> {
        let policy = self.lookup.current();
        let routes = self.routes.load_full();
        if Arc::ptr_eq(&routes.policy, &policy) {
            return routes;
        }
        let routes = Arc::new(Routes::new(policy, backends, metrics));
        self.routes.store(routes.clone());
        routes
    }
}

impl Routes {
    fn new(policy: Arc<OutboundPolicy>, backends: &Backends, metrics: &OutboundMetrics) -> Self {
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
        let routed = |route: &Route| metrics.route(&policy.parent, &route.meta);
        Self {
            http1: Routed::new(http1, routed(http1), |backend| backends.http(backend)),
            http2: Routed::new(http2, routed(http2), |backend| backends.http(backend)),
            tcp: Routed::new(opaque, routed(opaque), |backend| backends.tcp(backend)),
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
    fn new(
        route: &Route,
        metrics: Arc<RouteMetrics>,
        mut backend: impl FnMut(&Arc<Backend>) -> Arc<B>,
    ) -> Self {
        let action = match &route.action {
            RouteAction::Dispatch(backends) => Action::Dispatch(
                backends
                    .iter()
                    .map(|(policy, weight)| (backend(policy), *weight))
                    .collect(),
            ),
            RouteAction::Fail { status, message } => Action::Fail {
                status: *status,
                message: message.clone(),
            },
        };
        Self { metrics, action }
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
