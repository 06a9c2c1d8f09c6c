//! The pods that commands look at.

use std::fmt;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::{Cluster, ClusterError};

/// On every pod of the control plane.
const COMPONENT: &str = "mesh.dev/control-plane-component";
/// On every pod with a proxy, and on the control plane's own: the namespace of the mesh.
const MESH: &str = "mesh.dev/control-plane-ns";

/// Where a pod is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PodName {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl PodName {
    pub(crate) fn of(pod: &Pod) -> Self {
        Self {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
        }
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Cluster {
    /// Pods of a namespace, or of all, that a label selector matches; by name.
    ///
    /// # Errors
    /// When the API server refuses or is away.
    pub(crate) async fn pods(
        &self,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Pod>, ClusterError> {
        let api: Api<Pod> = match namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let listed = api.list(&ListParams::default().labels(selector)).await;
        let mut pods = listed
            .map_err(|error| self.failed(&error, "list", "pods"))?
            .items;
        pods.sort_by_key(PodName::of);
        Ok(pods)
    }

    /// The pods of the control plane; of one component of it: `identity`, `destination` or `injector`.
    ///
    /// # Errors
    /// As [`Cluster::pods`].
    pub(crate) async fn control_plane(
        &self,
        component: Option<&str>,
    ) -> Result<Vec<Pod>, ClusterError> {
        let selector = match component {
            Some(component) => format!("{COMPONENT}={component}"),
            None => COMPONENT.to_owned(),
        };
        self.pods(Some(&self.namespace), &selector).await
    }

    /// The pods that have a proxy of this mesh, in a namespace or in all; `selector` narrows them.
    ///
    /// # Errors
    /// As [`Cluster::pods`].
    pub(crate) async fn meshed_pods(
        &self,
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Pod>, ClusterError> {
        let mut all = format!("{MESH}={},!{COMPONENT}", self.namespace);
        if !selector.is_empty() {
            all = format!("{all},{selector}");
        }
        self.pods(namespace, &all).await
    }

    /// A pod of a component that is ready for questions.
    ///
    /// # Errors
    /// As [`Cluster::pods`], and when none is ready.
    pub(crate) async fn ready_pod(&self, component: &str) -> Result<PodName, ClusterError> {
        let pods = self.control_plane(Some(component)).await?;
        if let Some(pod) = pods.iter().find(|pod| is_ready(pod)) {
            return Ok(PodName::of(pod));
        }
        let states: Vec<_> = pods.iter().map(state).collect();
        Err(ClusterError::NotReady {
            component: component.to_owned(),
            namespace: self.namespace.clone(),
            found: match states.is_empty() {
                true => ": there is none".to_owned(),
                false => format!(": {}", states.join(", ")),
            },
        })
    }
}

/// Its component, for a pod of the control plane.
pub(crate) fn component(pod: &Pod) -> Option<&str> {
    pod.labels().get(COMPONENT).map(String::as_str)
}

/// Whether the pod's containers are ready, and it is not about to end.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.flatten().filter(|each| each.type_ == "Ready");
    pod.metadata.deletion_timestamp.is_none() && ready.any(|each| each.status == "True")
}

fn state(pod: &Pod) -> String {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    let phase = match (&pod.metadata.deletion_timestamp, phase) {
        (Some(_), _) => "terminating",
        (None, Some("Running")) => "running, but not ready",
        (None, other) => other.unwrap_or("unknown"),
    };
    format!("{} is {}", pod.name_any(), phase.to_lowercase())
}
