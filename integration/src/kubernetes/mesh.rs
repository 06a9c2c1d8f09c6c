//! The mesh, installed once for all scenarios of a run, the way that users install it.
//!
//! An install for each scenario would be cleaner and cost a minute each; and it is one mesh for many namespaces that users have.
//! So scenarios share it, and what changes it for the others is `exclusive` ([`super::exclusive`]).

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::cluster::Cluster;
use super::space::Space;
use crate::metrics;

/// Namespace of the control plane.
pub(super) const NAMESPACE: &str = "mesh";
/// Proxies forward what they can't discover in time as it is, unencrypted. On a machine that does several things at once, 500 ms go by.
const PATIENT: (&str, &str) = ("MESH_PROXY_DESTINATION_PROFILE_INITIAL_TIMEOUT", "20s");
/// The container that injection adds.
pub const PROXY: &str = "mesh-proxy";

/// The installed mesh; see [`Cluster::mesh`].
#[derive(Clone)]
pub struct Mesh {
    cluster: Cluster,
    control_plane: Space,
}

impl Mesh {
    pub(super) fn of(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            control_plane: Space::existing(cluster, NAMESPACE),
        }
    }

    /// `mesh install | kubectl apply -f -`, and waits until everything is ready. Returns the objects that there were before.
    pub(super) async fn install(&self) -> Result<Vec<String>, String> {
        let before = self.cluster.objects().await;
        let line = format!(
            "mesh install {} | kubectl apply -f -",
            self.cluster.install_flags()
        );
        let installed = self.cluster.sh(&line).await;
        if !installed.success {
            return Err(installed.to_string());
        }
        self.rolled_out().await;
        Ok(before)
    }

    /// Waits until the control plane has all its pods.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn rolled_out(&self) {
        let deployments = self.control_plane.api::<Deployment>();
        let deployments = deployments.list(&ListParams::default()).await.unwrap();
        assert!(!deployments.items.is_empty(), "nothing is installed");
        for deployment in deployments {
            self.control_plane.rolled_out(&deployment.name_any()).await;
        }
    }

    /// The control plane's namespace. It stays when a scenario ends.
    #[must_use]
    pub fn control_plane(&self) -> &Space {
        &self.control_plane
    }

    /// A new namespace whose pods are injected, as [`Cluster::space`].
    ///
    /// # Panics
    /// When the API server refuses it, or pods are not injected in time.
    pub async fn space(&self, name: &str) -> Space {
        let space = self.cluster.space(name).await;
        self.annotate(&space, &[]).await;
        space
    }

    /// Asks for proxies in a namespace, with more variables than they have, and waits until new pods of it get them.
    ///
    /// # Panics
    /// As [`Mesh::space`].
    pub async fn annotate(&self, space: &Space, variables: &[(&str, &str)]) {
        let namespaces = Api::<Namespace>::all(self.cluster.client());
        let env: Vec<_> = [PATIENT]
            .iter()
            .chain(variables)
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let annotations = json!({
            "mesh.dev/inject": "enabled",
            "config.mesh.dev/proxy-additional-env": json!(env).to_string(),
        });
        let annotated = json!({ "metadata": { "annotations": annotations } });
        let (params, patch) = (PatchParams::default(), Patch::Merge(annotated));
        namespaces
            .patch(space.name(), &params, &patch)
            .await
            .unwrap();
        space
            .until("pods to be injected", async || is_injected(space).await)
            .await;
    }

    /// The sum of a metric of a pod's proxy, over the samples that have these labels (`tls="true"`). A container of the pod is our test pod.
    ///
    /// # Panics
    /// When it can't be asked.
    pub async fn metric(
        &self,
        (space, pod, container): (&Space, &str, &str),
        name: &str,
        labels: &[&str],
    ) -> u64 {
        let get = ["/mesh-test-pod", "get", "http://127.0.0.1:4191/metrics"];
        let metrics = space.exec(pod, container, &get).await.ok();
        metrics::sum(&metrics, name, labels)
    }
}

/// Whether a pod of no use would get a proxy. The injector hears of an annotation a moment later than the API server.
async fn is_injected(space: &Space) -> Option<()> {
    let pod = json!({
        "metadata": { "name": "injected" },
        "spec": { "containers": [{ "name": "app", "image": "none" }] },
    });
    let pod: Pod = serde_json::from_value(pod).expect("it is a pod");
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let pod = space.api::<Pod>().create(&params, &pod).await.ok()?;
    let init = pod.spec?.init_containers?;
    init.iter().any(|each| each.name == PROXY).then_some(())
}
