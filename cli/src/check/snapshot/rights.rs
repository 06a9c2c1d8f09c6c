//! What the user may do, as the API server itself says (SelfSubjectAccessReview).

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use mesh_identity::kubernetes::explain;

use super::{Read, Scope, Unread};

/// Kinds of an install that have no namespace: API group, resource.
const CLUSTER_WIDE: [(&str, &str); 4] = [
    ("", "namespaces"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    (
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
    ),
];
/// Kinds of an install in the control plane's namespace.
const NAMESPACED: [(&str, &str); 6] = [
    ("", "configmaps"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("", "services"),
    ("apps", "deployments"),
    ("policy", "poddisruptionbudgets"),
];

/// Whether objects of a kind may be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    /// As a role names it: `deployments.apps`.
    pub(crate) resource: String,
    /// None for a kind without namespaces.
    pub(crate) namespace: Option<String>,
    pub(crate) allowed: bool,
}

/// Asks about every kind of an install.
pub(super) async fn read(client: &Client, scope: &Scope) -> Read<Vec<Right>> {
    let cluster_wide = CLUSTER_WIDE.map(|kind| (kind, None));
    let namespaced = NAMESPACED.map(|kind| (kind, Some(scope.mesh.as_str())));
    let all = cluster_wide.into_iter().chain(namespaced);
    let each = all.map(|((group, resource), namespace)| ask(client, group, resource, namespace));
    let answers = futures::future::join_all(each).await;
    answers.into_iter().collect()
}

async fn ask(client: &Client, group: &str, resource: &str, namespace: Option<&str>) -> Read<Right> {
    const REVIEWS: &str = "selfsubjectaccessreviews.authorization.k8s.io";
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                verb: Some("create".to_owned()),
                namespace: namespace.map(ToOwned::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await;
    let answer = answer.map_err(|error| Unread::Failed {
        resource: REVIEWS,
        why: explain(&error, "create", REVIEWS),
    })?;
    Ok(Right {
        resource: match group {
            "" => resource.to_owned(),
            _ => format!("{resource}.{group}"),
        },
        namespace: namespace.map(ToOwned::to_owned),
        allowed: answer.status.is_some_and(|status| status.allowed),
    })
}
