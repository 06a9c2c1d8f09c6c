//! The demo's Kubernetes manifests, from templates.
//!
//! The templates are YAML files rather than serialized structs because a reader of the demo opens the result: it should look like the
//! manifests that people write, with comments. The tests parse the result back with Kubernetes' own types, so a template cannot drift
//! into something that only our controller would take.

use std::path::{Path, PathBuf};

use super::error::DemoError;
use super::policy::Policy;
use super::topology::{CLIENT, MESH_NAMESPACE, NAMESPACE, SERVICE, Topology, Workload, port};

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
    ) -> Result<Self, DemoError> {
        let manifests = Self {
            dir: dir.to_owned(),
            topology,
        };
        manifests.write("base.yaml", &base())?;
        manifests.write("endpoints.yaml", &endpoints(topology))?;
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
    pub(crate) fn set_policy(&self, policy: Policy) -> Result<(), DemoError> {
        self.write("service.yaml", &service(self.topology, policy))
    }

    /// Replaces a file in one step, so that a watcher never reads half of it. The first name has no `.yaml`, so it is not read at all.
    fn write(&self, name: &str, text: &str) -> Result<(), DemoError> {
        let (path, draft) = (self.dir.join(name), self.dir.join(format!(".{name}.draft")));
        std::fs::write(&draft, text)
            .and_then(|()| std::fs::rename(&draft, &path))
            .map_err(|source| DemoError::Write { path, source })
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

fn endpoints(topology: Topology) -> String {
    let mut text = fill(ENDPOINTS, &[]);
    for replica in topology.replicas() {
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
