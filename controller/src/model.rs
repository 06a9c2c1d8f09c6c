//! From objects to answers: no I/O, no tasks, no clock.
//!
//! Objects go in as changes ([`Index::apply`]), answers come out of questions
//! ([`query::Query`]). That the same objects always give the same answers is
//! what lets equal watches share their work, lets updates without effect end
//! early, and makes every rule here a plain test. A new kind of object (a route,
//! an authorization) is a variant of [`object::Object`], a map in [`Index`], and
//! a part of the view that it changes.

pub(crate) mod authority;
pub(crate) mod balancing;
pub(crate) mod endpoint;
pub(crate) mod endpoints;
pub(crate) mod inbound;
mod index;
pub(crate) mod object;
mod opaque;
pub(crate) mod outbound;
pub(crate) mod ports;
pub(crate) mod profile;
pub(crate) mod query;
pub(crate) mod tuning;

#[cfg(test)]
mod tests;

pub(crate) use index::Index;

use inbound::DefaultPolicy;
use ipnet::IpNet;
use ports::PortSet;

/// What the operator sets for the whole mesh.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Namespace of our own control plane, part of every identity.
    pub(crate) identity_namespace: String,
    pub(crate) trust_domain: String,
    pub(crate) default_policy: DefaultPolicy,
    pub(crate) opaque_ports: PortSet,
    pub(crate) cluster_networks: Vec<IpNet>,
    pub(crate) probe_networks: Vec<IpNet>,
    pub(crate) ipv6: bool,
    pub(crate) h2_upgrade: bool,
    /// Endpoints in the client's zone weigh ten times as much.
    pub(crate) prefer_local_zone: bool,
}
