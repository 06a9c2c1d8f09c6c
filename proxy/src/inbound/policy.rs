//! Deciding about a request or connection by the policy of its port.
//!
//! Policy changes while connections are open, so each request is decided by the
//! policy of that moment. A decision is remembered with what it was made of; as
//! long as that is the same object, it is the same decision, and its metrics
//! are at hand.

use super::{
    client::Conn,
    metrics::{AllowedMetrics, InboundMetrics},
};
use crate::{
    http::error::{BoxError, Kind, ProxyError},
    log::flood::sparsely,
    metrics::Authz,
    policy::{Authorization, InboundRoute, Metadata, ServerPolicy, ServerProtocol},
};
use http::Request;
use std::sync::Arc;

/// A decision to allow, with what it was made of.
pub(super) struct Allowed {
    policy: Arc<ServerPolicy>,
    /// Index of the route in the policy, when it has routes.
    route: Option<usize>,
    /// Numbers of requests that are decided so.
    pub(super) metrics: Arc<AllowedMetrics>,
}

impl Conn {
    /// Whether `req` may pass.
    ///
    /// # Errors
    /// 403 when the port demands more than the client has, or without an
    /// authorization; 404 without a route. All are counted.
    pub(super) fn allow<B>(
        &self,
        req: &Request<B>,
        metrics: &InboundMetrics,
    ) -> Result<Arc<Allowed>, ProxyError> {
        let policy = self.policy.borrow().clone();
        if let Err(unmet) = self.demand.check(self.app.port(), &self.tls) {
            return Err(self.denied(&policy, &Metadata::of_default("default"), metrics, unmet));
        }
        let route = self.route(&policy, req, metrics)?;
        let allowed = self.allowed.lock().clone();
        let allowed = match allowed {
            Some(last) if Arc::ptr_eq(&last.policy, &policy) && last.route == route => last,
            _ => self.authorize(policy, route, metrics)?,
        };
        allowed.metrics.allow();
        Ok(allowed)
    }

    /// Decides anew, and remembers what is allowed.
    fn authorize(
        &self,
        policy: Arc<ServerPolicy>,
        route: Option<usize>,
        metrics: &InboundMetrics,
    ) -> Result<Arc<Allowed>, ProxyError> {
        let (route_meta, authorizations) = match route {
            Some(index) => route_parts(&policy, &policy.routes[index]),
            None => (Metadata::of_default("default"), &policy.authorizations[..]),
        };
        let authorization = policy
            .authorize_by(authorizations, &self.as_client())
            .map_err(|error| self.denied(&policy, &route_meta, metrics, error))?;
        let authz = &authorization.meta;
        let handles = metrics.allowed(self.app, &self.tls, &policy.meta, &route_meta, authz);
        let allowed = Arc::new(Allowed {
            metrics: handles,
            route,
            policy,
        });
        *self.allowed.lock() = Some(allowed.clone());
        self.count_announced(metrics);
        Ok(allowed)
    }

    /// Counts the transport header, once, when policy has allowed something: its
    /// labels are the client's choice.
    fn count_announced(&self, metrics: &InboundMetrics) {
        let announced = self.announced.lock().take();
        if let (Some(header), Some(identity)) = (announced, self.tls.identity()) {
            metrics.transport_header(&header, identity);
        }
    }

    /// Index of the route for `req`, when there are routes.
    fn route<B>(
        &self,
        policy: &ServerPolicy,
        req: &Request<B>,
        metrics: &InboundMetrics,
    ) -> Result<Option<usize>, ProxyError> {
        let (method, path) = (req.method(), req.uri().path());
        // First, whatever else matches: the route in doubt may be the stricter one.
        for route in &*policy.routes {
            if let Some(condition) = route.unclear(method, path) {
                let cause = format!("this proxy can't check {condition} of {}", route.meta);
                return Err(self.denied(policy, &route.meta, metrics, cause));
            }
        }
        let is_match = |route: &InboundRoute| route.is_match(method, path);
        match policy.routes.iter().position(is_match) {
            None if !policy.routes.is_empty() => {
                metrics.route_not_found(self.app, &self.tls, &policy.meta);
                let cause = format!("{} has no route for this request", policy.meta);
                let target = self.app.to_string();
                Err(ProxyError::new(Kind::NoRoute, "route", target, cause))
            }
            index => Ok(index),
        }
    }

    /// Counts and logs a request that may not pass.
    fn denied(
        &self,
        policy: &ServerPolicy,
        route: &Metadata,
        metrics: &InboundMetrics,
        error: impl Into<BoxError>,
    ) -> ProxyError {
        let error = error.into();
        metrics.http_denied(self.app, &self.tls, &policy.meta, route);
        sparsely!(info, client = %self.client, %error, "Request denied");
        self.unauthorized(error)
    }

    /// Whether the connection itself may pass.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`], counted.
    pub(super) fn allow_connection(&self, metrics: &InboundMetrics) -> Result<(), ProxyError> {
        let policy = self.policy.borrow().clone();
        let decided = |decision, authz| {
            metrics.tcp_decided(decision, self.app, &self.tls, &policy.meta, authz);
        };
        match self.authorize_connection(&policy) {
            Ok(authorization) => {
                decided(Authz::Allow, Some(&*authorization.meta));
                self.count_announced(metrics);
                Ok(())
            }
            Err(error) => {
                decided(Authz::Deny, None);
                sparsely!(info, client = %self.client, %error, "Connection denied");
                Err(self.unauthorized(error))
            }
        }
    }

    fn authorize_connection<'a>(
        &self,
        policy: &'a ServerPolicy,
    ) -> Result<&'a Authorization, BoxError> {
        self.demand.check(self.app.port(), &self.tls)?;
        match policy.protocol {
            // Such a port is authorized request by request. As bytes, requests
            // would pass by its routes, and say who they are from themselves.
            ServerProtocol::Http1 | ServerProtocol::Http2 => {
                Err(format!("{} takes HTTP only", policy.meta).into())
            }
            _ => Ok(policy.authorize(&self.as_client())?),
        }
    }

    fn unauthorized(&self, error: BoxError) -> ProxyError {
        ProxyError::new(Kind::Unauthorized, "authorize", self.app.to_string(), error)
    }
}

fn route_parts<'a>(
    policy: &'a ServerPolicy,
    route: &'a InboundRoute,
) -> (Arc<Metadata>, &'a [Authorization]) {
    let authorizations = if route.authorizations.is_empty() {
        &policy.authorizations
    } else {
        &route.authorizations
    };
    (route.meta.clone(), authorizations)
}
