//! The rules of the model, on manifests.

mod endpoints;
mod opaque;
mod policy;

use super::{
    Index, Settings,
    authority::{Authority, ServiceName},
    object::Change,
    query::{Query, Touched},
};
use crate::{config::Config, source::directory::objects};

fn settings() -> Settings {
    Config::new("unused").settings()
}

fn index(manifests: &str) -> Index {
    index_with(manifests, settings())
}

fn index_with(manifests: &str, settings: Settings) -> Index {
    let mut index = Index::new(settings);
    for object in objects(manifests) {
        index.apply(Change::Apply(object), &mut Touched::default());
    }
    index
}

fn name(text: &str) -> ServiceName {
    match Authority::parse(text, "cluster.local") {
        Ok(Authority::Service(name)) => name,
        other => panic!("{text} is no service: {other:?}"),
    }
}

fn view<Q: Query>(index: &Index, query: &Q) -> Q::View {
    query.view(index).expect("there is an answer")
}

#[test]
fn what_is_known_already_touches_nothing() {
    let manifests = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Node, metadata: {name: a}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.2.0.1, ports: [{port: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}, endpoints: []}
";
    let mut index = index(manifests);
    let objects = objects(manifests);
    assert_eq!(objects.len(), 5);
    for object in objects {
        let mut touched = Touched::default();
        index.apply(Change::Apply(object), &mut touched);
        assert!(touched.is_empty(), "{touched:?}");
    }
}
