//! Service.

use super::{
    super::annotations::Annotations, Converted, Invalid, invalid, ip, is_tcp, name, namespace, port,
};
use crate::model::{
    balancing,
    object::{AppProtocol, Object, Service, ServicePort, TargetPort},
    tuning::Tuning,
};
use k8s_openapi::{api::core::v1, apimachinery::pkg::util::intstr::IntOrString};
use std::net::IpAddr;

pub(super) fn convert(service: v1::Service) -> Result<Converted, Invalid> {
    let mut annotations = Annotations::new(service.metadata.annotations.as_ref());
    let spec = service
        .spec
        .ok_or_else(|| invalid("spec", "a Service needs a spec"))?;
    let external = spec.type_.as_deref() == Some("ExternalName");
    let headless = spec.cluster_ip.as_deref() == Some("None");
    if spec.ports.as_ref().is_none_or(Vec::is_empty) && !external && !headless {
        return Err(invalid("spec.ports", "a Service needs at least one port"));
    }
    let ports = ports(spec.ports.unwrap_or_default())?;
    let by_name = |name: &str| {
        let named = ports.iter().find(|port| port.name == name);
        named.map(|port| port.port)
    };
    let opaque_ports = annotations.ports("opaque-ports", by_name);
    let (tuning, bad) = Tuning::read(annotations.map);
    for (name, why) in bad {
        annotations.warn(&name, &why);
    }
    let object = Service {
        namespace: namespace(&service.metadata),
        name: name(&service.metadata)?,
        cluster_ips: cluster_ips(spec.cluster_ip, spec.cluster_ips)?,
        external,
        selector: spec.selector.unwrap_or_default(),
        ports,
        opaque_ports,
        node_local: spec.internal_traffic_policy.as_deref() == Some("Local"),
        balancing: annotations.get(balancing::ANNOTATION).unwrap_or_default(),
        tuning,
    };
    Ok(Converted {
        object: Some(Object::Service(Box::new(object))),
        warnings: annotations.warnings,
    })
}

/// `clusterIPs` holds all families and starts with `clusterIP`.
fn cluster_ips(one: Option<String>, all: Option<Vec<String>>) -> Result<Vec<IpAddr>, Invalid> {
    let (field, texts) = match all.filter(|all| !all.is_empty()) {
        Some(all) => ("spec.clusterIPs[0]", all),
        None => ("spec.clusterIP", one.into_iter().collect()),
    };
    let addresses = texts
        .iter()
        .filter(|text| !text.is_empty() && *text != "None");
    addresses.map(|text| ip(field, text)).collect()
}

fn ports(ports: Vec<v1::ServicePort>) -> Result<Vec<ServicePort>, Invalid> {
    let mut kept: Vec<ServicePort> = Vec::with_capacity(ports.len());
    for (i, each) in ports.into_iter().enumerate() {
        let field = format!("spec.ports[{i}]");
        let number = port(&format!("{field}.port"), each.port)?;
        if !is_tcp(each.protocol.as_deref()) {
            continue;
        }
        if kept.iter().any(|other| other.port == number) {
            return Err(invalid(
                format!("{field}.port"),
                format!("port {number} is there twice"),
            ));
        }
        kept.push(ServicePort {
            port: number,
            name: each.name.unwrap_or_default(),
            target: target(&format!("{field}.targetPort"), number, each.target_port)?,
            protocol: AppProtocol::parse(each.app_protocol.as_deref()),
        });
    }
    Ok(kept)
}

fn target(field: &str, number: u16, target: Option<IntOrString>) -> Result<TargetPort, Invalid> {
    match target {
        None | Some(IntOrString::Int(0)) => Ok(TargetPort::Number(number)),
        Some(IntOrString::Int(number)) => port(field, number).map(TargetPort::Number),
        Some(IntOrString::String(text)) => match text.parse() {
            Ok(number) => port(field, number).map(TargetPort::Number),
            Err(_) => Ok(TargetPort::Name(text)),
        },
    }
}
