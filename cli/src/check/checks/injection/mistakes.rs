//! Values of annotations that the mesh can't use, by its own readers.

use mesh_controller::injector::examine;
use mesh_controller::manifests;

use super::super::super::{Finding, Snapshot, nothing_wrong};
use super::super::data_plane::meshed;
use super::super::pods::named;
use super::{for_injector, namespaces, services};

pub(super) fn none(snapshot: &Snapshot) -> Finding {
    let namespaces = namespaces(snapshot)?;
    let of_namespaces = namespaces.iter().flat_map(|(name, namespace)| {
        let mistakes = examine::namespace(&for_injector(namespace));
        mistakes
            .into_iter()
            .map(move |mistake| format!("namespace {name}: {mistake}"))
    });
    let of_pods = meshed(snapshot)?.into_iter().flat_map(|pod| {
        let object = serde_json::to_value(pod).expect("the API's types are JSON");
        let mistakes = examine::pod(&object);
        mistakes
            .into_iter()
            .map(move |mistake| format!("{}: {mistake}", named(pod)))
    });
    let of_services = services(snapshot)?.into_iter().flat_map(|(name, service)| {
        let mistakes = manifests::service_warnings(service.clone());
        mistakes
            .into_iter()
            .map(move |mistake| format!("{name}: {mistake}"))
    });
    nothing_wrong(of_namespaces.chain(of_pods).chain(of_services))
}
