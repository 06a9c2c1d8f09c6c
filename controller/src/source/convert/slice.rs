//! EndpointSlice.

use super::{Converted, Invalid, invalid, ip, is_tcp, name, namespace, port};
use crate::{
    model::object::{Object, Slice, SliceEndpoint},
    source::annotations::Warning,
};
use k8s_openapi::api::{
    core::v1::ObjectReference,
    discovery::v1::{Endpoint, EndpointPort, EndpointSlice},
};
use std::net::IpAddr;

/// Which service a slice belongs to.
const SERVICE: &str = "kubernetes.io/service-name";

/// Is an address of the slice's family?
type Family = fn(&IpAddr) -> bool;

pub(super) fn convert(slice: EndpointSlice) -> Result<Converted, Invalid> {
    let mut warnings = Vec::new();
    let (name, namespace) = (name(&slice.metadata)?, namespace(&slice.metadata));
    let family = match slice.address_type.as_str() {
        "IPv4" => IpAddr::is_ipv4 as Family,
        "IPv6" => IpAddr::is_ipv6,
        "FQDN" => return Ok(unused("addressType FQDN is not supported")),
        other => {
            let why = format!("{other:?} is none of IPv4, IPv6, FQDN");
            return Err(invalid("addressType", why));
        }
    };
    let service = slice
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(SERVICE));
    let Some(service) = service.cloned() else {
        return Ok(unused(&format!(
            "it has no label {SERVICE}, so it belongs to no Service"
        )));
    };
    let mut endpoints = Vec::with_capacity(slice.endpoints.len());
    for (i, each) in slice.endpoints.into_iter().enumerate() {
        let field = format!("endpoints[{i}]");
        endpoints.push(endpoint(&field, each, &namespace, family, &mut warnings)?);
    }
    let object = Slice {
        ports: ports(slice.ports.unwrap_or_default())?,
        namespace: namespace.into(),
        name: name.into(),
        service: service.into(),
        endpoints,
    };
    Ok(Converted {
        object: Some(Object::Slice(object)),
        warnings,
    })
}

fn unused(why: &str) -> Converted {
    Converted {
        object: None,
        warnings: vec![Warning::new(format!("the slice is ignored: {why}"))],
    }
}

fn ports(ports: Vec<EndpointPort>) -> Result<Vec<(String, u16)>, Invalid> {
    let numbered = ports.into_iter().enumerate().filter_map(|(i, each)| {
        // A port without a number means "all ports", which no service uses.
        let number = each.port.filter(|_| is_tcp(each.protocol.as_deref()))?;
        let field = format!("ports[{i}].port");
        Some(port(&field, number).map(|port| (each.name.unwrap_or_default(), port)))
    });
    numbered.collect()
}

fn endpoint(
    field: &str,
    endpoint: Endpoint,
    namespace: &str,
    family: Family,
    warnings: &mut Vec<Warning>,
) -> Result<SliceEndpoint, Invalid> {
    let pod = endpoint
        .target_ref
        .and_then(|target| pod(field, target, namespace, warnings));
    let (pod, pod_uid) = pod.unzip();
    let hints = endpoint.hints.and_then(|hints| hints.for_zones);
    Ok(SliceEndpoint {
        addresses: addresses(&format!("{field}.addresses"), &endpoint.addresses, family)?,
        // Unknown means ready, says the API.
        ready: endpoint.conditions.and_then(|c| c.ready).unwrap_or(true),
        hostname: endpoint.hostname.map(Into::into),
        node: endpoint.node_name.map(Into::into),
        zone: endpoint.zone.map(Into::into),
        hints: hints
            .into_iter()
            .flatten()
            .map(|hint| hint.name.into())
            .collect(),
        pod,
        pod_uid: pod_uid.flatten(),
    })
}

fn addresses(field: &str, texts: &[String], family: Family) -> Result<Vec<IpAddr>, Invalid> {
    if texts.is_empty() {
        return Err(invalid(field, "an endpoint needs an address"));
    }
    let each = texts.iter().enumerate().map(|(i, text)| {
        let field = format!("{field}[{i}]");
        let address = ip(&field, text)?;
        match family(&address) {
            true => Ok(address),
            false => Err(invalid(
                field,
                format!("{text} is not of the slice's addressType"),
            )),
        }
    });
    each.collect()
}

/// Name and uid of the pod behind an endpoint. All of an answer comes from one namespace, so
/// a pod of another is not looked at.
fn pod(
    field: &str,
    target: ObjectReference,
    namespace: &str,
    warnings: &mut Vec<Warning>,
) -> Option<(Box<str>, Option<Box<str>>)> {
    let pod = target
        .name
        .filter(|_| target.kind.as_deref() == Some("Pod"))?;
    let elsewhere = target.namespace.filter(|other| other != namespace);
    if let Some(other) = &elsewhere {
        warnings.push(Warning::new(format!(
            "{field}.targetRef is ignored: the pod is in namespace {other}, the slice in {namespace}"
        )));
    }
    let uid = target.uid.map(Into::into);
    elsewhere.is_none().then_some((pod.into(), uid))
}
