//! What of ours a cluster has.
//!
//! Objects are found by their labels, not by a list of names: so `mesh uninstall` and `mesh prune` find what other versions made. The
//! kinds are a list, though, of every kind that any version has made: to look through all kinds of a cluster takes minutes and rights
//! that few have.

use super::{CONFIG, CONTROL_PLANE, ISSUER, PART_OF, VALUES, credentials::Pair};
use crate::cluster::{Cluster, ClusterError};
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration,
        core::v1::{ConfigMap, Secret},
    },
};
use kube::{
    Api, ResourceExt,
    api::ListParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use mesh_controller::injector::{TRUST_BUNDLE, TRUST_BUNDLE_KEY};
use serde_json::{Value, json};

/// Group, version and kind, in the order in which they are best deleted: first what keeps pods from starting, then rights, so that a
/// controller that still runs makes nothing anew.
const KINDS: [(&str, &str, &str, Scope); 10] = [
    (
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        Scope::Cluster,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRoleBinding",
        Scope::Cluster,
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRole",
        Scope::Cluster,
    ),
    ("policy", "v1", "PodDisruptionBudget", Scope::Namespace),
    ("apps", "v1", "Deployment", Scope::Namespace),
    ("", "v1", "Service", Scope::Namespace),
    ("", "v1", "ConfigMap", Scope::Namespace),
    ("", "v1", "Secret", Scope::Namespace),
    ("", "v1", "ServiceAccount", Scope::Namespace),
    ("", "v1", "Namespace", Scope::Cluster),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Cluster,
    Namespace,
}

/// An object, by what `kubectl delete` needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Reference {
    /// That of a whole object.
    pub(crate) fn of(object: &Value) -> Self {
        let text = |path| {
            object
                .pointer(path)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        Self {
            api_version: text("/apiVersion").unwrap_or_default(),
            kind: text("/kind").unwrap_or_default(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name").unwrap_or_default(),
        }
    }

    /// Whether it is the issuer's Secret, which not only `mesh install` writes.
    pub(crate) fn is_issuer(&self) -> bool {
        self.kind == "Secret" && self.name == ISSUER
    }

    pub(crate) fn json(&self) -> Value {
        let mut meta = json!({"name": self.name});
        if let Some(namespace) = &self.namespace {
            meta["namespace"] = namespace.as_str().into();
        }
        json!({"apiVersion": self.api_version, "kind": self.kind, "metadata": meta})
    }
}

/// A control plane as the cluster tells of it.
#[derive(Debug)]
pub(crate) struct Installed {
    /// The text of its values.
    pub(crate) values: String,
    pub(crate) version: String,
    /// Name and namespace of the release, when Helm made it.
    pub(crate) release: Option<(String, String)>,
}

/// The mesh in the namespace, if there is one.
pub(crate) async fn installed(cluster: &Cluster) -> Result<Option<Installed>, ClusterError> {
    let Some(map) = config_map(cluster, CONFIG).await? else {
        return Ok(None);
    };
    let annotation = |name: &str| map.annotations().get(name).cloned();
    let release =
        annotation("meta.helm.sh/release-name").zip(annotation("meta.helm.sh/release-namespace"));
    let version = map.labels().get("app.kubernetes.io/version").cloned();
    Ok(Some(Installed {
        release,
        version: version.unwrap_or_else(|| "of unknown version".to_owned()),
        values: map
            .data
            .and_then(|mut data| data.remove(VALUES))
            .unwrap_or_default(),
    }))
}

/// The namespace of another mesh. Their webhook configurations would have one name.
pub(crate) async fn other_mesh(cluster: &Cluster) -> Result<Option<String>, ClusterError> {
    let api = Api::<MutatingWebhookConfiguration>::all(cluster.client.clone());
    let found = api.get_opt("mesh-injector").await;
    let found = found.map_err(|error| {
        cluster.failed(
            &error,
            "get",
            "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        )
    })?;
    let namespace = found.and_then(|found| found.labels().get(CONTROL_PLANE).cloned());
    Ok(namespace.filter(|namespace| *namespace != cluster.namespace))
}

/// The trust anchors in force (PEM).
pub(crate) async fn trust_anchors(cluster: &Cluster) -> Result<Option<String>, ClusterError> {
    let map = config_map(cluster, TRUST_BUNDLE).await?;
    Ok(map.and_then(|map| map.data?.remove(TRUST_BUNDLE_KEY)))
}

async fn config_map(cluster: &Cluster, name: &str) -> Result<Option<ConfigMap>, ClusterError> {
    let api = Api::<ConfigMap>::namespaced(cluster.client.clone(), &cluster.namespace);
    let found = api.get_opt(name).await;
    found.map_err(|error| cluster.failed(&error, "get", "configmaps"))
}

/// The issuer in force.
pub(crate) async fn issuer(cluster: &Cluster) -> Result<Option<Pair>, ClusterError> {
    let api = Api::<Secret>::namespaced(cluster.client.clone(), &cluster.namespace);
    let found = api.get_opt(ISSUER).await;
    let found = found.map_err(|error| cluster.failed(&error, "get", "secrets"))?;
    let text = |bytes: Option<ByteString>| {
        String::from_utf8_lossy(&bytes.unwrap_or_default().0).into_owned()
    };
    Ok(found.map(|secret| {
        let mut data = secret.data.unwrap_or_default();
        Pair {
            certificate: text(data.remove("tls.crt")),
            key: text(data.remove("tls.key")),
        }
    }))
}

/// Every object of the control plane, in the order of [`KINDS`].
pub(crate) async fn objects(cluster: &Cluster) -> Result<Vec<Reference>, ClusterError> {
    let labels = format!(
        "{}={},{CONTROL_PLANE}={}",
        PART_OF.0, PART_OF.1, cluster.namespace
    );
    let params = ListParams::default().labels(&labels);
    let mut found = Vec::new();
    for (group, version, kind, scope) in KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api = match scope {
            Scope::Cluster => Api::all_with(cluster.client.clone(), &resource),
            Scope::Namespace => {
                Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource)
            }
        };
        found.extend(list(cluster, api, &resource, &params).await?);
    }
    Ok(found)
}

/// The copies of the trust bundle, in the namespaces that were ever meshed.
pub(crate) async fn bundles(cluster: &Cluster) -> Result<Vec<Reference>, ClusterError> {
    let labels = format!(
        "{}={},app.kubernetes.io/managed-by=mesh-controller",
        PART_OF.0, PART_OF.1
    );
    let params = ListParams::default()
        .labels(&labels)
        .fields(&format!("metadata.name={TRUST_BUNDLE}"));
    let resource = ApiResource::erase::<ConfigMap>(&());
    let api = Api::all_with(cluster.client.clone(), &resource);
    list(cluster, api, &resource, &params).await
}

/// Without their content: Secrets are among them.
async fn list(
    cluster: &Cluster,
    api: Api<DynamicObject>,
    resource: &ApiResource,
    params: &ListParams,
) -> Result<Vec<Reference>, ClusterError> {
    let reference = |meta: kube::core::PartialObjectMeta<DynamicObject>| Reference {
        api_version: resource.api_version.clone(),
        kind: resource.kind.clone(),
        namespace: meta.metadata.namespace,
        name: meta.metadata.name.unwrap_or_default(),
    };
    match api.list_metadata(params).await {
        Ok(found) => Ok(found.items.into_iter().map(reference).collect()),
        // An API server without this kind has none of it.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => {
            let role = match resource.group.as_str() {
                "" => resource.plural.clone(),
                group => format!("{}.{group}", resource.plural),
            };
            Err(cluster.failed(&error, "list", &role))
        }
    }
}
