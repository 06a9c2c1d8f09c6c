//! What the webhook knows of namespaces, and when.

use super::*;
use kube::runtime::watcher::Event;
use tokio::time::Instant;

fn namespace(name: &str, annotations: &[(&str, &str)]) -> PartialObjectMeta<Namespace> {
    let mut namespace = PartialObjectMeta::<Namespace>::default();
    namespace.metadata.name = Some(name.to_owned());
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    namespace.metadata.annotations = Some(annotations.iter().map(owned).collect());
    namespace
}

const ENABLED: &[(&str, &str)] = &[("mesh.dev/inject", "enabled")];

fn listed(each: Vec<PartialObjectMeta<Namespace>>) -> Namespaces {
    let namespaces = Namespaces::default();
    namespaces.take(Event::Init);
    for namespace in each {
        namespaces.take(Event::InitApply(namespace));
    }
    namespaces.take(Event::InitDone);
    namespaces
}

#[test]
fn only_our_annotations_are_kept() {
    let annotations = [
        ENABLED[0],
        ("config.mesh.dev/proxy-uid", "3000"),
        ("kubectl.kubernetes.io/last-applied-configuration", "{}"),
    ];
    let namespaces = listed(vec![namespace("shop", &annotations)]);
    let known: Vec<_> = namespaces
        .annotations("shop")
        .unwrap()
        .into_keys()
        .collect();
    assert_eq!(known, ["config.mesh.dev/proxy-uid", "mesh.dev/inject"]);
    assert!(namespaces.annotations("other").is_none());
}

#[test]
fn namespaces_are_meshed_by_annotation_or_by_their_pods() {
    let namespaces = listed(vec![
        namespace("shop", ENABLED),
        namespace("gate", &[("mesh.dev/inject", " ingress ")]),
        namespace("bare", &[("mesh.dev/inject", "disabled")]),
    ]);
    let mut meshed = namespaces.meshed();
    let mut now = || Vec::from_iter(meshed.borrow_and_update().clone());
    assert_eq!(now(), ["gate", "shop"]);
    namespaces.mesh("bare");
    assert_eq!(now(), ["bare", "gate", "shop"]);
    namespaces.take(Event::Delete(namespace("bare", &[])));
    namespaces.take(Event::Apply(namespace("gate", &[])));
    namespaces.take(Event::Apply(namespace("bare", &[])));
    assert_eq!(now(), ["shop"]);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_comes_a_moment_after_its_pod_is_waited_for() {
    let namespaces = listed(Vec::new());
    let start = Instant::now();
    let late = namespaces.clone();
    tokio::spawn(async move {
        tokio::time::sleep(PATIENCE / 2).await;
        late.take(Event::Apply(namespace("shop", ENABLED)));
    });
    namespaces.known("shop").await;
    assert_eq!(start.elapsed(), PATIENCE / 2);
    assert!(namespaces.annotations("shop").is_some());

    namespaces.known("never").await;
    assert_eq!(start.elapsed(), PATIENCE / 2 + PATIENCE);
    assert!(namespaces.annotations("never").is_none());
}

#[test]
fn a_list_that_is_read_anew_forgets_nothing_on_the_way() {
    let namespaces = listed(vec![namespace("shop", ENABLED), namespace("old", ENABLED)]);
    namespaces.take(Event::Init);
    namespaces.take(Event::InitApply(namespace("shop", ENABLED)));
    assert!(namespaces.annotations("old").is_some());
    namespaces.take(Event::InitDone);
    assert!(namespaces.annotations("old").is_none());
    assert!(namespaces.annotations("shop").is_some());
}
