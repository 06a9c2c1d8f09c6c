//! Whether the configuration makes sense, and fits the cluster.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Service};
use kube::ResourceExt as _;
use mesh_controller::injector::{self, Annotations};

use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};
use super::expected;
use super::pods::{is_alive, named, namespace_of};
use crate::install;

/// The key of `mesh-config` that the injector reads.
const PROXY_DEFAULTS: &str = "proxy-defaults.yaml";

pub(super) const CATEGORY: Category = Category {
    name: "config",
    checks: &[
        Check::new("config-values", "the values make sense", values),
        Check::new(
            "config-proxy-defaults",
            "the injector can read the proxies' defaults",
            proxy_defaults,
        ),
        Check::new(
            "config-proxy-defaults-match",
            "the proxies' defaults are those of the values",
            proxy_defaults_match,
        )
        .warns(),
        Check::new(
            "config-networks-nodes",
            "the cluster networks contain the nodes' pod networks",
            nodes,
        ),
        Check::new(
            "config-networks-pods",
            "the cluster networks contain the pods",
            pods,
        ),
        Check::new(
            "config-networks-services",
            "the cluster networks contain the Services",
            services,
        ),
    ],
};

fn values(snapshot: &Snapshot) -> Finding {
    let values = expected::values_or_skip(snapshot)?;
    let mut lines: Vec<_> = install::check(&values, &snapshot.scope.version)
        .iter()
        .map(ToString::to_string)
        .collect();
    if values.namespace != snapshot.scope.mesh {
        let (said, is) = (&values.namespace, &snapshot.scope.mesh);
        lines.push(format!("namespace: they are for {said}, but lie in {is}"));
    }
    nothing_wrong(lines)
}

/// What the injector has beneath every annotation.
fn defaults(config: &ConfigMap) -> Result<Annotations, String> {
    let text = config
        .data
        .as_ref()
        .and_then(|data| data.get(PROXY_DEFAULTS));
    let text = text.ok_or_else(|| {
        let name = expected::CONFIG;
        format!("ConfigMap {name} has no {PROXY_DEFAULTS}")
    })?;
    let read = mesh_controller::manifests::read::<Option<Annotations>>(text);
    let read = read.map_err(|error| format!("{PROXY_DEFAULTS}: {}", error.without_snippet()))?;
    Ok(read.unwrap_or_default())
}

fn config_map(snapshot: &Snapshot) -> Result<&ConfigMap, Problem> {
    let config = seen(&snapshot.objects.config)?.as_ref();
    config.ok_or_else(|| Problem::skipped("needs the configuration, see mesh-config"))
}

fn proxy_defaults(snapshot: &Snapshot) -> Finding {
    let install = defaults(config_map(snapshot)?).map_err(Problem::one)?;
    let config = injector::Config {
        install,
        ..injector::Config::default()
    };
    config
        .check()
        .map_err(|bad| Problem::one(format!("{PROXY_DEFAULTS}: {bad}")))
}

fn proxy_defaults_match(snapshot: &Snapshot) -> Finding {
    let values = expected::values_or_skip(snapshot)?;
    let Ok(found) = defaults(config_map(snapshot)?) else {
        return Err(Problem::skipped("see config-proxy-defaults"));
    };
    let version = expected::installed_version(snapshot);
    let version = version.unwrap_or_else(|| snapshot.scope.version.clone());
    let wanted = values.all_proxy_defaults(&version);
    let names = wanted.keys().chain(found.keys());
    let mut names: Vec<_> = names
        .filter(|name| wanted.get(*name) != found.get(*name))
        .collect();
    names.sort();
    names.dedup();
    let said =
        |value: Option<&String>| value.map_or("nothing".to_owned(), |text| format!("{text:?}"));
    nothing_wrong(names.into_iter().map(|name| {
        let (found, wanted) = (said(found.get(name)), said(wanted.get(name)));
        format!("{name}: {PROXY_DEFAULTS} says {found}, the values say {wanted}")
    }))
}

/// Networks whose addresses proxies ask the controller about.
struct Networks {
    list: Vec<IpNet>,
    text: String,
}

impl Networks {
    fn of(snapshot: &Snapshot) -> Result<Self, Problem> {
        let text = expected::values_or_skip(snapshot)?.cluster_networks;
        let networks = text.split(',').map(|network| network.trim().parse());
        match networks.collect() {
            Ok(list) => Ok(Self { list, text }),
            Err(_) => Err(Problem::skipped("see config-values")),
        }
    }

    fn contain(&self, network: &IpNet) -> bool {
        self.list.iter().any(|each| each.contains(network))
    }

    /// What is wrong with addresses of an object.
    fn outside<'a>(&self, what: &str, addresses: impl Iterator<Item = &'a str>) -> Option<String> {
        let outside = addresses.filter(|text| match text.parse::<IpAddr>() {
            Ok(address) => !self.contain(&IpNet::from(address)),
            Err(_) => !text.parse().is_ok_and(|network| self.contain(&network)),
        });
        let outside: Vec<_> = outside.collect();
        let (list, networks) = (outside.join(", "), &self.text);
        (!outside.is_empty()).then(|| format!("{what}: {list} is not in {networks}"))
    }
}

fn nodes(snapshot: &Snapshot) -> Finding {
    let nodes = seen(&snapshot.objects.nodes)?;
    let networks = Networks::of(snapshot)?;
    let of_node = |node: &Node| {
        node.spec
            .clone()
            .and_then(|spec| spec.pod_cidrs)
            .unwrap_or_default()
    };
    if nodes.iter().all(|node| of_node(node).is_empty()) {
        return Err(Problem::skipped("no node has a podCIDR"));
    }
    nothing_wrong(nodes.iter().filter_map(|node| {
        let networks_of_node = of_node(node);
        let all = networks_of_node.iter().map(String::as_str);
        networks.outside(&format!("node {}", node.name_any()), all)
    }))
}

fn pods(snapshot: &Snapshot) -> Finding {
    let pods = seen(&snapshot.objects.pods)?;
    let networks = Networks::of(snapshot)?;
    let own_network = |pod: &&Pod| {
        let spec = pod.spec.as_ref();
        spec.and_then(|spec| spec.host_network) != Some(true) && is_alive(pod)
    };
    nothing_wrong(pods.iter().filter(own_network).filter_map(|pod| {
        let addresses = pod
            .status
            .iter()
            .flat_map(|status| &status.pod_ips)
            .flatten();
        networks.outside(&named(pod), addresses.map(|each| each.ip.as_str()))
    }))
}

fn services(snapshot: &Snapshot) -> Finding {
    let services = seen(&snapshot.objects.services)?;
    let networks = Networks::of(snapshot)?;
    nothing_wrong(services.iter().filter_map(|service| {
        let all = addresses(service);
        let name = format!(
            "Service {}/{}",
            namespace_of(&service.metadata),
            service.name_any()
        );
        networks.outside(&name, all.iter().map(String::as_str))
    }))
}

fn addresses(service: &Service) -> Vec<String> {
    let spec = service.spec.clone().unwrap_or_default();
    let all = spec.cluster_ips.unwrap_or_default();
    let all = all.into_iter().chain(spec.cluster_ip);
    let mut all: Vec<_> = all.filter(|ip| !ip.is_empty() && ip != "None").collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
pub(super) mod tests;
