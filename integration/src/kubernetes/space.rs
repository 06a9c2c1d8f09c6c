//! A namespace of a scenario's own.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use super::cluster::Cluster;
use super::exec::{self, Output};
use super::{images, manifests};
use crate::wait;

/// Cold images and a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// Between questions to the API server.
const PAUSE: Duration = Duration::from_millis(100);

/// A namespace, and what a scenario does in it. All of it panics when the API server refuses, or when waiting takes too long.
#[derive(Clone)]
pub struct Space {
    cluster: Cluster,
    name: String,
}

impl Space {
    pub(super) async fn create(cluster: &Cluster, name: &str) -> Self {
        let name = format!("{name}-{:06x}", rand::random::<u32>() >> 8);
        let namespace = json!({ "metadata": { "name": name } });
        let namespace = serde_json::from_value(namespace).expect("it is a namespace");
        let namespaces = Api::<Namespace>::all(cluster.client());
        namespaces
            .create(&Default::default(), &namespace)
            .await
            .unwrap();
        let space = Self {
            cluster: cluster.clone(),
            name,
        };
        // Pods are refused until the controller manager has made it.
        let accounts = space.api::<k8s_openapi::api::core::v1::ServiceAccount>();
        space
            .until("the default service account", async || {
                accounts.get_opt("default").await.unwrap().map(drop)
            })
            .await;
        space
    }

    /// One that is there already, and stays.
    pub(super) fn existing(cluster: &Cluster, name: &str) -> Self {
        Self {
            cluster: cluster.clone(),
            name: name.to_owned(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Objects of one kind in it.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client(), &self.name)
    }

    fn client(&self) -> Client {
        self.cluster.client()
    }

    /// Creates or changes the objects of a YAML text. `$SPACE` is this namespace, `$IMAGE/NAME` one of our images.
    ///
    /// # Panics
    /// When one is refused.
    pub async fn apply(&self, yaml: &str) {
        let mut text = yaml.replace("$SPACE", &self.name);
        for name in images::ours() {
            text = text.replace(&format!("$IMAGE/{name}"), &self.cluster.image(name));
        }
        let applied = manifests::apply(&self.client(), &self.name, &text).await;
        applied.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until a Deployment has all its pods, available and of its newest kind.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn rolled_out(&self, deployment: &str) {
        let api = self.api::<Deployment>();
        self.until(&format!("the rollout of {deployment}"), async || {
            let found = api.get(deployment).await.unwrap();
            is_rolled_out(&found).then_some(())
        })
        .await;
    }

    /// The pod of this name, once it is ready.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn ready_pod(&self, name: &str) -> Pod {
        let api = self.api::<Pod>();
        self.until(&format!("pod {name} to be ready"), async || {
            api.get(name).await.ok().filter(is_ready)
        })
        .await
    }

    /// Names of the pods with these labels (`app=web`).
    ///
    /// # Panics
    /// When they can't be listed.
    pub async fn pods(&self, labels: &str) -> Vec<String> {
        let params = ListParams::default().labels(labels);
        let pods = self.api::<Pod>().list(&params).await.unwrap();
        pods.iter().map(|pod| pod.name_any()).collect()
    }

    /// Runs a command in a container of a pod.
    ///
    /// # Panics
    /// When it can't be started.
    pub async fn exec(&self, pod: &str, container: &str, command: &[&str]) -> Output {
        let pods = self.api::<Pod>();
        let output = wait::within(
            PATIENCE,
            command.join(" "),
            exec::exec(&pods, pod, container, command),
        );
        output
            .await
            .unwrap_or_else(|error| panic!("{pod}: {command:?} can't be run ({error})"))
    }

    /// Runs lines of bash, as [`Cluster::sh`]; the variable `SPACE` is the name of this namespace.
    ///
    /// # Panics
    /// When they take longer than ten minutes.
    pub async fn sh(&self, lines: &str) -> Output {
        self.cluster.sh_with(lines, &[("SPACE", &self.name)]).await
    }

    /// All that a container has said since it last started.
    ///
    /// # Panics
    /// When the API server or kubelet refuses.
    pub async fn logs(&self, pod: &str, container: &str) -> String {
        let params = LogParams {
            container: Some(container.to_owned()),
            ..LogParams::default()
        };
        self.api::<Pod>().logs(pod, &params).await.unwrap()
    }

    /// Asks again until there is an answer.
    ///
    /// # Panics
    /// When that takes too long; names `what` was waited for.
    pub async fn until<T>(&self, what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
        wait::within(PATIENCE, format!("{what} in {}", self.name), async {
            loop {
                if let Some(value) = attempt().await {
                    return value;
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
        .await
    }
}

/// Whether all pods of the newest kind are available, and no others left.
pub(super) fn is_rolled_out(deployment: &Deployment) -> bool {
    let (Some(spec), Some(status)) = (&deployment.spec, &deployment.status) else {
        return false;
    };
    let wanted = spec.replicas.unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) == wanted
        && status.available_replicas.unwrap_or(0) == wanted
        && status.replicas.unwrap_or(0) == wanted
}

/// Whether a pod takes requests.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| &status.conditions);
    let mut ready = conditions.flatten().filter(|each| each.type_ == "Ready");
    ready.any(|each| each.status == "True")
}
