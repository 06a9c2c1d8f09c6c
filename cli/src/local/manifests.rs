//! The demo's Kubernetes manifests, from templates.
//!
//! The templates are YAML files rather than serialized structs because a reader of the demo opens the result: it should look like the
//! manifests that people write, with comments. The tests parse the result back with Kubernetes' own types, so a template cannot drift
//! into something that only our controller would take.

use std::path::{Path, PathBuf};

use super::error::LocalError;
use super::policy::Policy;
use super::topology::{
    CLIENT, MESH_NAMESPACE, NAMESPACE, REPLICAS, SERVICE, Topology, Workload, port,
};

const BASE: &str = include_str!("manifests/base.yaml");
const SERVICE_TEMPLATE: &str = include_str!("manifests/service.yaml");
const ENDPOINTS: &str = include_str!("manifests/endpoints.yaml");
const ENDPOINT: &str = include_str!("manifests/endpoint.yaml");
const POD: &str = include_str!("manifests/pod.yaml");

/// A folder of manifests that a controller watches.
#[derive(Clone, Debug)]
pub(crate) struct Manifests {
    dir: PathBuf,
    topology: Topology,
}

impl Manifests {
    /// Writes all files into `dir`, which must exist.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn create(
        dir: &Path,
        topology: Topology,
        policy: Policy,
    ) -> Result<Self, LocalError> {
        let manifests = Self {
            dir: dir.to_owned(),
            topology,
        };
        manifests.write("base.yaml", &base())?;
        manifests.set_replicas(|_| true)?;
        for workload in topology.workloads() {
            manifests.write(&format!("pod-{}.yaml", workload.name), &pod(&workload))?;
        }
        manifests.set_policy(policy)?;
        Ok(manifests)
    }

    /// Says in the Service how it is to be balanced.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn set_policy(&self, policy: Policy) -> Result<(), LocalError> {
        self.write("service.yaml", &service(self.topology, policy))
    }

    /// Says in the EndpointSlice which replicas there are, by their numbers.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn set_replicas(&self, listed: impl Fn(u8) -> bool) -> Result<(), LocalError> {
        self.write("endpoints.yaml", &endpoints(self.topology, listed))
    }

    /// Replaces a file in one step, so that a watcher never reads half of it. The first name has no `.yaml`, so it is not read at all.
    fn write(&self, name: &str, text: &str) -> Result<(), LocalError> {
        let (path, draft) = (self.dir.join(name), self.dir.join(format!(".{name}.draft")));
        std::fs::write(&draft, text)
            .and_then(|()| std::fs::rename(&draft, &path))
            .map_err(|source| LocalError::Write { path, source })
    }
}

fn base() -> String {
    fill(BASE, &[("client", CLIENT)])
}

fn service(topology: Topology, policy: Policy) -> String {
    let cluster_ip = topology.cluster_ip().to_string();
    fill(
        SERVICE_TEMPLATE,
        &[("policy", policy.name()), ("cluster_ip", &cluster_ip)],
    )
}

fn endpoints(topology: Topology, listed: impl Fn(u8) -> bool) -> String {
    let mut text = fill(ENDPOINTS, &[]);
    for index in (0..REPLICAS).filter(|index| listed(*index)) {
        let replica = topology.replica(index);
        text += &fill(
            ENDPOINT,
            &[("ip", &replica.ip.to_string()), ("name", &replica.name)],
        );
    }
    text
}

fn pod(workload: &Workload) -> String {
    let ip = workload.ip.to_string();
    fill(
        POD,
        &[
            ("name", &workload.name),
            ("account", workload.account),
            ("ip", &ip),
        ],
    )
}

/// Replaces `{key}` by its value, for the given keys and those that all templates share.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let ports = [
        ("service_http", port::SERVICE_HTTP),
        ("app_http", port::APP_HTTP),
        ("app_grpc", port::APP_GRPC),
        ("inbound", port::INBOUND),
        ("admin", port::ADMIN),
        ("tap", port::TAP),
    ];
    let names = [
        ("namespace", NAMESPACE),
        ("mesh_namespace", MESH_NAMESPACE),
        ("service", SERVICE),
    ];
    let text = ports
        .iter()
        .fold(template.to_owned(), |text, (key, value)| {
            text.replace(&format!("{{{key}}}"), &value.to_string())
        });
    names.iter().chain(values).fold(text, |text, (key, value)| {
        text.replace(&format!("{{{key}}}"), value)
    })
}

#[cfg(test)]
mod tests;
