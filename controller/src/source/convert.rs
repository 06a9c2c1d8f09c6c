//! From Kubernetes objects to the model's.
//!
//! Checks what the API server would have checked (files have not been through
//! one): addresses, ports, names. Errors name the field in the form
//! `spec.ports[0].port`.

mod pod;
mod service;
mod slice;

use super::annotations::Annotations;
use crate::model::object::{Namespace, Node, Object};
use k8s_openapi::{
    api::{core::v1, discovery::v1 as discovery},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::core::PartialObjectMeta;
use std::net::IpAddr;

/// A field whose value can't be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub(crate) struct Invalid {
    pub(crate) field: String,
    pub(crate) why: String,
}

/// What became of an object: `None` when the model has no use for it.
pub(crate) struct Converted {
    pub(crate) object: Option<Object>,
    /// Settings that were left out, as sentences.
    pub(crate) warnings: Vec<String>,
}

/// A Kubernetes object of a kind that the model knows.
pub(crate) trait Convert {
    fn convert(self) -> Result<Converted, Invalid>;
}

impl Convert for v1::Namespace {
    fn convert(self) -> Result<Converted, Invalid> {
        let mut annotations = Annotations::new(self.metadata.annotations.as_ref());
        let object = Namespace {
            name: name(&self.metadata)?,
            opaque_ports: annotations.ports("opaque-ports", |_| None),
            default_policy: annotations.config("default-inbound-policy"),
        };
        Ok(Converted {
            object: Some(Object::Namespace(object)),
            warnings: annotations.warnings,
        })
    }
}

impl Convert for v1::Node {
    fn convert(self) -> Result<Converted, Invalid> {
        let labels = self.metadata.labels.as_ref();
        let zone = labels.and_then(|labels| labels.get("topology.kubernetes.io/zone"));
        let object = Node {
            name: name(&self.metadata)?,
            zone: zone.cloned(),
        };
        Ok(Converted {
            object: Some(Object::Node(object)),
            warnings: Vec::new(),
        })
    }
}

impl Convert for PartialObjectMeta<v1::Namespace> {
    fn convert(self) -> Result<Converted, Invalid> {
        let metadata = self.metadata;
        v1::Namespace {
            metadata,
            ..v1::Namespace::default()
        }
        .convert()
    }
}

impl Convert for PartialObjectMeta<v1::Node> {
    fn convert(self) -> Result<Converted, Invalid> {
        let metadata = self.metadata;
        v1::Node {
            metadata,
            ..v1::Node::default()
        }
        .convert()
    }
}

impl Convert for v1::Pod {
    fn convert(self) -> Result<Converted, Invalid> {
        pod::convert(self)
    }
}

impl Convert for v1::Service {
    fn convert(self) -> Result<Converted, Invalid> {
        service::convert(self)
    }
}

impl Convert for discovery::EndpointSlice {
    fn convert(self) -> Result<Converted, Invalid> {
        slice::convert(self)
    }
}

fn invalid(field: impl Into<String>, why: impl Into<String>) -> Invalid {
    Invalid {
        field: field.into(),
        why: why.into(),
    }
}

fn name(metadata: &ObjectMeta) -> Result<String, Invalid> {
    let name = metadata.name.clone().filter(|name| !name.is_empty());
    name.ok_or_else(|| invalid("metadata.name", "an object needs a name"))
}

/// An object without a namespace is in `default`, as for kubectl.
fn namespace(metadata: &ObjectMeta) -> String {
    let namespace = metadata
        .namespace
        .clone()
        .filter(|namespace| !namespace.is_empty());
    namespace.unwrap_or_else(|| "default".to_owned())
}

fn ip(field: &str, text: &str) -> Result<IpAddr, Invalid> {
    text.parse()
        .map_err(|_| invalid(field, format!("{text:?} is no IP address")))
}

fn port(field: &str, number: i32) -> Result<u16, Invalid> {
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    port.ok_or_else(|| invalid(field, format!("port {number} is not between 1 and 65535")))
}

/// Kubernetes' default, when `protocol` is left out, is TCP.
fn is_tcp(protocol: Option<&str>) -> bool {
    matches!(protocol, None | Some("TCP"))
}
