//! How to call what a review is about.

use super::Request;
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::Value;

/// The pod, which the API server may not have named yet.
pub(super) fn name(request: &Request) -> String {
    let text = |path| request.object.pointer(path).and_then(Value::as_str);
    let named = Some(request.name.as_str()).filter(|name| !name.is_empty());
    let name = named.or_else(|| text("/metadata/name"));
    name.or_else(|| text("/metadata/generateName"))
        .unwrap_or_default()
        .to_owned()
}

/// The owner, else the pod: with the uid of what exists already; a pod gets its own later.
pub(super) fn about(request: &Request) -> ObjectReference {
    let owners = request.object.pointer("/metadata/ownerReferences");
    let owners = owners.and_then(Value::as_array).into_iter().flatten();
    let owner = owners.max_by_key(|owner| owner["controller"] == true);
    let text = |name| Some(owner?.get(name)?.as_str()?.to_owned());
    let is_owner = text("name").is_some();
    let of_pod = |pod: String, owner: Option<String>| match is_owner {
        true => owner,
        false => Some(pod),
    };
    ObjectReference {
        api_version: of_pod("v1".to_owned(), text("apiVersion")),
        kind: of_pod("Pod".to_owned(), text("kind")),
        name: of_pod(name(request), text("name")),
        namespace: Some(request.namespace.clone()),
        uid: text("uid").filter(|_| is_owner),
        ..ObjectReference::default()
    }
}
