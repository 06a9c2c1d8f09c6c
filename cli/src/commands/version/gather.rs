//! Versions of a cluster's pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;

use super::Args;
use super::report::{Component, Proxies, Report};
use crate::cluster::{ClusterError, component, proxy};

const VERSION_LABEL: &str = "app.kubernetes.io/version";
const PROXY_VERSION: &str = "mesh.dev/proxy-version";

/// Versions of the control plane by the tags of its images: a build of your own may have any tag, and its proxies have the same.
pub(super) type Tags = BTreeMap<String, String>;

/// What the cluster says.
pub(super) async fn gather(args: &Args) -> Result<Report, ClusterError> {
    let cluster = args.cluster.connect().await?;
    let pods = cluster.control_plane(None).await?;
    let proxies = match args.proxy {
        true => {
            let namespace = args.namespace.as_deref();
            let meshed = cluster.meshed_pods(namespace, "").await?;
            Some(count(&meshed, &tags(&pods)))
        }
        false => None,
    };
    Ok(Report::new(&cluster.namespace, components(&pods), proxies))
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

pub(super) fn tags(control_plane: &[Pod]) -> Tags {
    let tagged = |pod: &Pod| Some((first_tag(pod)?, version(pod)));
    control_plane.iter().filter_map(tagged).collect()
}

/// The proxies by namespace and version.
pub(super) fn count(pods: &[Pod], tags: &Tags) -> Vec<Proxies> {
    let mut counts = BTreeMap::<(String, String), usize>::new();
    for pod in pods {
        let key = (
            pod.namespace().unwrap_or_default(),
            proxy_version(pod, tags),
        );
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
    known(label.or_else(|| first_tag(pod)))
}

/// Of the image that runs; the annotation is what the injector was told.
fn proxy_version(pod: &Pod, tags: &Tags) -> String {
    let annotation = || pod.annotations().get(PROXY_VERSION).cloned();
    let tag = proxy::container(pod).and_then(tag).or_else(annotation);
    known(tag.map(|tag| tags.get(&tag).cloned().unwrap_or(tag)))
}

fn first_tag(pod: &Pod) -> Option<String> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers.filter_map(tag).next()
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
