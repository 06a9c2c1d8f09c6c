//! Pods by the name of what they belong to.

use std::fmt;
use std::str::FromStr;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, core::GroupVersionKind};
use serde_json::Value;

use super::{Cluster, ClusterError, PodName};

/// Something that is a pod, or has pods: `pod/web-0`, `deploy/web`, `svc/web`; a name alone is a pod's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pod,
    Service,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Job,
}

/// Kind, what `kubectl` calls it, group, Kubernetes' name, plural.
const KINDS: [(Kind, &[&str], &str, &str, &str); 7] = [
    (Kind::Pod, &["pod", "pods", "po"], "", "Pod", "pods"),
    (
        Kind::Service,
        &["svc", "service", "services"],
        "",
        "Service",
        "services",
    ),
    (
        Kind::Deployment,
        &["deploy", "deployment", "deployments"],
        "apps",
        "Deployment",
        "deployments",
    ),
    (
        Kind::StatefulSet,
        &["sts", "statefulset", "statefulsets"],
        "apps",
        "StatefulSet",
        "statefulsets",
    ),
    (
        Kind::DaemonSet,
        &["ds", "daemonset", "daemonsets"],
        "apps",
        "DaemonSet",
        "daemonsets",
    ),
    (
        Kind::ReplicaSet,
        &["rs", "replicaset", "replicasets"],
        "apps",
        "ReplicaSet",
        "replicasets",
    ),
    (Kind::Job, &["job", "jobs"], "batch", "Job", "jobs"),
];

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').unwrap_or(("pod", text));
        let lower = kind.to_lowercase();
        let known = KINDS.iter().find(|row| row.1.contains(&lower.as_str()));
        match known {
            _ if name.is_empty() || name.contains('/') => {
                Err("expected KIND/NAME, as in pod/web-0 or deploy/web".to_owned())
            }
            Some(row) => Ok(Self {
                kind: row.0,
                name: name.to_owned(),
            }),
            None => Err(format!(
                "`{kind}` is no kind with pods; there are {}",
                KINDS.map(|row| row.1[0]).join(", ")
            )),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.row().1[0], self.name)
    }
}

impl Resource {
    fn row(
        &self,
    ) -> &'static (
        Kind,
        &'static [&'static str],
        &'static str,
        &'static str,
        &'static str,
    ) {
        let row = KINDS.iter().find(|row| row.0 == self.kind);
        row.expect("every kind has a row")
    }
}

impl Cluster {
    /// The pods of a resource, or the pod; by name. There may be none.
    ///
    /// # Errors
    /// When there is no such resource, or the API server refuses or is away.
    pub(crate) async fn pods_of(
        &self,
        namespace: &str,
        of: &Resource,
    ) -> Result<Vec<Pod>, ClusterError> {
        if of.kind == Kind::Pod {
            return Ok(vec![self.pod(namespace, &of.name).await?]);
        }
        let (_, _, group, kind, plural) = *of.row();
        let kind = GroupVersionKind::gvk(group, "v1", kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource);
        let object = api.get(&of.name).await;
        let object = object.map_err(|error| self.failed(&error, "get", plural))?;
        let selector = &object.data["spec"]["selector"];
        let selector = match of.kind {
            Kind::Service => equalities(selector),
            _ => label_selector(selector),
        };
        // An empty selector is every pod to the API, and none to a Service without one.
        match selector.is_empty() {
            true => Ok(Vec::new()),
            false => self.pods(Some(namespace), &selector).await,
        }
    }

    /// One pod.
    ///
    /// # Errors
    /// As [`Cluster::pods_of`].
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<Pod, ClusterError> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let found = api.get(name).await;
        found.map_err(|error| match error {
            kube::Error::Api(status) if status.code == 404 => ClusterError::NoPod(PodName {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            error => self.failed(&error, "get", "pods"),
        })
    }
}

/// `a=b,c=d` of a map.
fn equalities(labels: &Value) -> String {
    let labels = labels.as_object().into_iter().flatten();
    let equal = |(name, value): (&String, &Value)| Some(format!("{name}={}", value.as_str()?));
    labels.filter_map(equal).collect::<Vec<_>>().join(",")
}

/// A LabelSelector of `apps/v1` in the form that a list request takes.
fn label_selector(selector: &Value) -> String {
    let equal = equalities(&selector["matchLabels"]);
    let expressions = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten();
    let parts = expressions.filter_map(expression);
    let parts = std::iter::once(equal)
        .filter(|part| !part.is_empty())
        .chain(parts);
    parts.collect::<Vec<_>>().join(",")
}

fn expression(expression: &Value) -> Option<String> {
    let key = expression["key"].as_str()?;
    let values = expression["values"].as_array().into_iter().flatten();
    let values = values
        .filter_map(Value::as_str)
        .collect::<Vec<_>>()
        .join(",");
    match expression["operator"].as_str()? {
        "In" => Some(format!("{key} in ({values})")),
        "NotIn" => Some(format!("{key} notin ({values})")),
        "Exists" => Some(key.to_owned()),
        "DoesNotExist" => Some(format!("!{key}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_as_kubectl_takes_them() {
        for (text, shown) in [
            ("web-0", "pod/web-0"),
            ("po/web-0", "pod/web-0"),
            ("Deployment/web", "deploy/web"),
            ("service/web", "svc/web"),
        ] {
            assert_eq!(text.parse::<Resource>().unwrap().to_string(), shown);
        }
        for text in ["", "pod/", "a/b/c", "node/a"] {
            assert!(text.parse::<Resource>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn selectors_become_text() {
        let selector = json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"}
            ]
        });
        assert_eq!(label_selector(&selector), "app=web,tier in (a,b),!old");
        assert_eq!(equalities(&json!({"app": "web", "x": "y"})), "app=web,x=y");
        assert_eq!(equalities(&Value::Null), "");
    }
}
