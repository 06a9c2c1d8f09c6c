//! Objects from YAML, as `kubectl apply --server-side` takes them.

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client};

/// Who owns the fields that are set.
const MANAGER: &str = "mesh-test";

/// Creates or changes the objects of a YAML text; those that have a namespace go to `namespace` unless they name one.
pub(super) async fn apply(client: &Client, namespace: &str, yaml: &str) -> Result<(), String> {
    for object in parse(yaml)? {
        let name = object.metadata.name.clone().unwrap_or_default();
        let kind = object
            .types
            .as_ref()
            .map_or("", |types| &*types.kind)
            .to_owned();
        let failed = |error: kube::Error| format!("{kind} {name} can't be applied ({error})");
        let api = api(client, &object, namespace).await.map_err(failed)?;
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(&object);
        api.patch(&name, &params, &patch).await.map_err(failed)?;
    }
    Ok(())
}

fn parse(yaml: &str) -> Result<Vec<DynamicObject>, String> {
    serde_saphyr::from_multiple(yaml).map_err(|error| format!("bad manifest ({error})\n{yaml}"))
}

async fn api(
    client: &Client,
    object: &DynamicObject,
    namespace: &str,
) -> Result<Api<DynamicObject>, kube::Error> {
    let types = object.types.clone().unwrap_or_default();
    let kind =
        GroupVersionKind::try_from(&types).unwrap_or_else(|_| GroupVersionKind::gvk("", "", ""));
    let (resource, capabilities) = pinned_kind(client, &kind).await?;
    let namespace = object.metadata.namespace.as_deref().unwrap_or(namespace);
    Ok(match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, &resource),
    })
}
