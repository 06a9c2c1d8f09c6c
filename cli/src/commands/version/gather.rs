//! Versions of a cluster's pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;

use super::Args;
use super::report::{Component, Proxies, Report};
use crate::cluster::{Cluster, ClusterError, component, proxy};

const VERSION_LABEL: &str = "app.kubernetes.io/version";
const PROXY_VERSION: &str = "mesh.dev/proxy-version";

/// What the cluster says.
pub(super) async fn gather(args: &Args) -> Result<Report, ClusterError> {
    let cluster = args.cluster.connect().await?;
    let control_plane = components(&cluster.control_plane(None).await?);
    let proxies = match args.proxy {
        true => Some(proxies(&cluster, args.namespace.as_deref()).await?),
        false => None,
    };
    Ok(Report::new(&cluster.namespace, control_plane, proxies))
}

/// The pods of the control plane by component and version.
pub(super) fn components(pods: &[Pod]) -> Vec<Component> {
    let mut counts = BTreeMap::<(String, String), usize>::new();
    for pod in pods {
        let name = format!("mesh-{}", component(pod).unwrap_or("unknown"));
        *counts.entry((name, version(pod))).or_default() += 1;
    }
    let component = |((name, version), pods)| Component {
        name,
        version,
        pods,
    };
    counts.into_iter().map(component).collect()
}

async fn proxies(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Proxies>, ClusterError> {
    let pods = cluster.meshed_pods(namespace, "").await?;
    Ok(count(&pods))
}

/// The proxies by namespace and version.
pub(super) fn count(pods: &[Pod]) -> Vec<Proxies> {
    let mut counts = BTreeMap::<(String, String), usize>::new();
    for pod in pods {
        let key = (pod.namespace().unwrap_or_default(), proxy_version(pod));
        *counts.entry(key).or_default() += 1;
    }
    let proxies = |((namespace, version), pods)| Proxies {
        namespace,
        version,
        pods,
    };
    counts.into_iter().map(proxies).collect()
}

fn version(pod: &Pod) -> String {
    let label = pod.labels().get(VERSION_LABEL).cloned();
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    known(label.or_else(|| containers.filter_map(tag).next()))
}

/// Of the image that runs; the annotation is what the injector was told.
fn proxy_version(pod: &Pod) -> String {
    let annotation = || pod.annotations().get(PROXY_VERSION).cloned();
    known(proxy::container(pod).and_then(tag).or_else(annotation))
}

/// The tag of an image: what follows the last colon of its last path segment, a digest aside.
fn tag(container: &Container) -> Option<String> {
    let image = container.image.as_deref()?;
    let image = image.split('@').next()?;
    let (_, tag) = image.rsplit('/').next()?.split_once(':')?;
    Some(tag.to_owned())
}

fn known(version: Option<String>) -> String {
    version.unwrap_or_else(|| "unknown".to_owned())
}
