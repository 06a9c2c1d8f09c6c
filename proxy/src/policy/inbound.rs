//! What an inbound port allows.

use super::Metadata;
use ipnet::IpNet;
use std::{net::IpAddr, sync::Arc, time::Duration};

/// The policy of one port of this workload (`inbound.Server`).
#[derive(Clone, Debug, PartialEq)]
pub struct ServerPolicy {
    /// Labels `srv_*`.
    pub meta: Arc<Metadata>,
    /// Which protocol the application speaks there.
    pub protocol: ServerProtocol,
    /// Who may connect; an empty list denies everyone.
    pub authorizations: Arc<[Authorization]>,
    /// HTTP routes with authorizations of their own (probes); when not empty, a
    /// request that matches none is a 404.
    pub routes: Arc<[InboundRoute]>,
}

/// The protocol of an inbound port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerProtocol {
    /// Look at the first bytes; after the timeout without any, treat as opaque.
    Detect {
        /// How long to wait for the client's first bytes.
        timeout: Duration,
    },
    /// HTTP/1 (meshed peers may still carry it over HTTP/2).
    Http1,
    /// HTTP/2 or gRPC.
    Http2,
    /// Bytes; nothing is looked at, not even for mesh TLS by interception.
    Opaque,
    /// TLS of the application, passed through.
    Tls,
}

/// One way to be allowed: from these networks, with this authentication.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorization {
    /// Labels `authz_*`.
    pub meta: Arc<Metadata>,
    /// Client addresses it covers; without any it covers nothing.
    pub networks: Vec<Network>,
    /// What the client must prove.
    pub authentication: Authentication,
}

/// A network with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Clients in here match.
    pub net: IpNet,
    /// But not clients in these.
    pub except: Vec<IpNet>,
}

/// What a client must prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Nothing.
    Unauthenticated,
    /// Mesh TLS, with or without a client certificate.
    TlsUnauthenticated,
    /// Mesh TLS with an identity that is listed or ends in a listed suffix.
    TlsAuthenticated {
        /// Exact identities.
        identities: Vec<Arc<str>>,
        /// Suffixes (`ns.serviceaccount...`); an empty one matches every identity.
        suffixes: Vec<Arc<str>>,
    },
}

/// An HTTP route of an inbound port.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundRoute {
    /// Labels `route_*`.
    pub meta: Arc<Metadata>,
    /// Any of these; empty matches every request.
    pub matches: Vec<RouteMatch>,
    /// Replaces the server's authorizations when not empty.
    pub authorizations: Arc<[Authorization]>,
}

/// Path and method of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The path to match.
    pub path: PathMatch,
    /// The method; `None` matches all.
    pub method: Option<http::Method>,
    /// A further condition that this proxy can't check, by name. Path and method
    /// then hold for more requests than are meant, and all of these are denied.
    pub unclear: Option<&'static str>,
}

/// How a path is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathMatch {
    /// The whole path.
    Exact(Arc<str>),
    /// Path elements from the start (`/` matches all).
    Prefix(Arc<str>),
}

/// What is known of the client of an inbound connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client<'a> {
    /// Its address.
    pub ip: IpAddr,
    /// `None` without mesh TLS; `Some(None)` with TLS but no certificate.
    pub tls: Option<Option<&'a str>>,
}

/// The client is not allowed; says by which server policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("client {client} is not authorized on {server}")]
pub struct Unauthorized {
    /// The client's identity, or its address without one.
    pub client: String,
    /// The policy that has no authorization for it.
    pub server: Arc<Metadata>,
}

impl ServerPolicy {
    /// The first authorization that covers `client` on this port.
    ///
    /// # Errors
    /// [`Unauthorized`] when none does.
    pub fn authorize(&self, client: &Client<'_>) -> Result<&Authorization, Unauthorized> {
        self.authorize_by(&self.authorizations, client)
    }

    /// As [`Self::authorize`], by the authorizations of a matched route.
    ///
    /// # Errors
    /// [`Unauthorized`] when none covers `client`.
    pub fn authorize_by<'a>(
        &self,
        authorizations: &'a [Authorization],
        client: &Client<'_>,
    ) -> Result<&'a Authorization, Unauthorized> {
        authorizations
            .iter()
            .find(|authorization| authorization.covers(client))
            .ok_or_else(|| Unauthorized {
                client: match client.tls {
                    Some(Some(id)) => id.to_owned(),
                    _ => client.ip.to_string(),
                },
                server: self.meta.clone(),
            })
    }
}

impl Authorization {
    fn covers(&self, client: &Client<'_>) -> bool {
        self.networks.iter().any(|net| net.contains(client.ip)) && self.authentication.holds(client)
    }
}

impl Network {
    fn contains(&self, ip: IpAddr) -> bool {
        self.net.contains(&ip) && !self.except.iter().any(|net| net.contains(&ip))
    }
}

impl Authentication {
    fn holds(&self, client: &Client<'_>) -> bool {
        match (self, client.tls) {
            (Self::Unauthenticated, _) | (Self::TlsUnauthenticated, Some(_)) => true,
            (
                Self::TlsAuthenticated {
                    identities,
                    suffixes,
                },
                Some(Some(id)),
            ) => {
                identities.iter().any(|name| **name == *id)
                    || suffixes.iter().any(|suffix| has_suffix(id, suffix))
            }
            _ => false,
        }
    }
}

/// Whether `id` is below `suffix` in the DNS sense; an empty suffix has all below it.
fn has_suffix(id: &str, suffix: &str) -> bool {
    suffix.is_empty()
        || id
            .strip_suffix(suffix)
            .is_some_and(|rest| rest.ends_with('.'))
}

impl InboundRoute {
    /// Whether the route is for this request.
    pub fn is_match(&self, method: &http::Method, path: &str) -> bool {
        let clear = |m: &RouteMatch| m.unclear.is_none() && m.is_match(method, path);
        self.matches.is_empty() || self.matches.iter().any(clear)
    }

    /// The condition on which it depends whether the route is for this request,
    /// if this proxy can't check it.
    pub fn unclear(&self, method: &http::Method, path: &str) -> Option<&'static str> {
        let mut unclear = self.matches.iter().filter(|m| m.unclear.is_some());
        unclear.find(|m| m.is_match(method, path))?.unclear
    }
}

impl RouteMatch {
    fn is_match(&self, method: &http::Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|m| m == method)
            && match &self.path {
                PathMatch::Exact(exact) => **exact == *path,
                PathMatch::Prefix(prefix) => {
                    let prefix = prefix.trim_end_matches('/');
                    // All of them, `*` as well, which is no path.
                    prefix.is_empty()
                        || path
                            .strip_prefix(prefix)
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                }
            }
    }
}

#[cfg(test)]
mod tests;
