//! Messages of the control plane to policy types, checked on the way.
//!
//! A message is taken whole or not at all: half a policy is worse than the last
//! good one. The error names the field by its path in the message, so that the
//! author of a controller (ours or another) finds it at once.

use crate::policy::Metadata;
use linkerd2_proxy_api::{meta, net};
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

pub(super) mod endpoint;
pub(super) mod inbound;
pub(super) mod outbound;
pub(super) mod profile;

/// A message, or one field of it, that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub(crate) struct Invalid {
    /// Path of the field in the message, `protocol.detect.http1.routes[0]`.
    field: String,
    problem: String,
}

impl Invalid {
    pub(super) fn new(field: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self {
            field: field.into(),
            problem: problem.to_string(),
        }
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::new(field, "is missing")
    }
}

/// Says in which field an error of a part was.
pub(super) trait InField<T> {
    fn in_field(self, field: impl fmt::Display) -> Result<T, Invalid>;
}

impl<T> InField<T> for Result<T, Invalid> {
    fn in_field(self, field: impl fmt::Display) -> Self {
        self.map_err(|error| Invalid {
            field: format!("{field}.{}", error.field),
            problem: error.problem,
        })
    }
}

/// Converts each item of a list, naming the index of a bad one.
pub(super) fn each<M, T>(
    field: &str,
    items: Vec<M>,
    convert: impl Fn(M) -> Result<T, Invalid>,
) -> Result<Vec<T>, Invalid> {
    let items = items.into_iter().enumerate();
    items
        .map(|(index, item)| convert(item).in_field(format_args!("{field}[{index}]")))
        .collect()
}

/// An absent duration is `None`; a negative one is an error.
pub(super) fn duration(
    field: &str,
    duration: Option<prost_types::Duration>,
) -> Result<Option<Duration>, Invalid> {
    let convert = |duration| {
        Duration::try_from(duration).map_err(|_| Invalid::new(field, "is no positive duration"))
    };
    duration.map(convert).transpose()
}

pub(super) fn port(field: &str, port: u32) -> Result<u16, Invalid> {
    match u16::try_from(port) {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(Invalid::new(field, format_args!("{port} is no port"))),
    }
}

pub(super) fn tcp_address(addr: Option<net::TcpAddress>) -> Result<SocketAddr, Invalid> {
    let addr = addr.ok_or_else(|| Invalid::missing("addr"))?;
    let ip = addr.ip.ok_or_else(|| Invalid::missing("addr.ip"))?;
    let ip = ip.try_into().map_err(|e| Invalid::new("addr.ip", e))?;
    Ok(SocketAddr::new(ip, port("addr.port", addr.port)?))
}

/// Metadata is for labels alone, so what is odd in it is no reason to refuse.
pub(super) fn metadata(meta: Option<meta::Metadata>) -> Arc<Metadata> {
    match meta.and_then(|meta| meta.kind) {
        None => Metadata::of_default("unknown"),
        Some(meta::metadata::Kind::Default(name)) => Metadata::of_default(&name),
        Some(meta::metadata::Kind::Resource(resource)) => Arc::new(Metadata {
            group: resource.group.into(),
            kind: resource.kind.into(),
            namespace: resource.namespace.into(),
            name: resource.name.into(),
            section: resource.section.into(),
            port: u16::try_from(resource.port).unwrap_or(0),
        }),
    }
}

#[cfg(test)]
mod tests;
