//! Watches are shared, and hear only of changes.

use super::*;
use crate::{
    config::Config,
    model::object::{Kind, ObjectKey},
    source::directory::objects,
};

fn hub(manifests: &str) -> Hub {
    let hub = Hub::new(Config::new("unused").settings());
    apply(&hub, manifests);
    hub
}

fn apply(hub: &Hub, manifests: &str) {
    hub.apply(objects(manifests).into_iter().map(Change::Apply).collect());
}

fn service(name: &str, namespace: &str, annotation: &str) -> String {
    format!(
        "---\n{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: {namespace}, annotations: {{{annotation}}}}}, spec: {{clusterIP: 10.2.0.1, ports: [{{port: 80}}]}}}}\n"
    )
}

fn balancing(name: &str) -> BalancingQuery {
    BalancingQuery {
        namespace: "shop".to_owned(),
        service: name.to_owned(),
    }
}

fn watching(hub: &Hub) -> usize {
    hub.state.lock().balancing.by_query.len()
}

#[test]
fn equal_questions_share_one_answer() {
    let hub = hub(&service("web", "shop", ""));
    let (a, b) = (hub.watch(balancing("web")), hub.watch(balancing("web")));
    assert!(a.same_channel(&b));
    assert!(!a.same_channel(&hub.watch(balancing("other"))));
}

#[test]
fn only_a_change_of_the_answer_wakes() {
    let hub = hub(&service("web", "shop", ""));
    let watch = hub.watch(balancing("web"));
    apply(&hub, &service("web", "shop", "irrelevant: x"));
    apply(&hub, &service("other", "shop", ""));
    apply(
        &hub,
        &service("web", "elsewhere", "balancer.mesh.dev/policy: random"),
    );
    assert!(!watch.has_changed().unwrap());
    apply(
        &hub,
        &service("web", "shop", "balancer.mesh.dev/policy: random"),
    );
    assert!(watch.has_changed().unwrap());
}

#[test]
fn an_address_may_change_hands() {
    let hub = hub("");
    let address = "10.2.0.1:80".parse().unwrap();
    let mut watch = hub.watch(OutboundQuery::Address(address));
    assert!(watch.borrow_and_update().is_none());
    apply(&hub, &service("web", "shop", ""));
    assert!(watch.borrow_and_update().is_some());
    // The answer now comes from the service's namespace: its changes count.
    apply(
        &hub,
        &service("web", "shop", "config.mesh.dev/opaque-ports: '80'"),
    );
    assert!(watch.has_changed().unwrap());
    watch.mark_unchanged();
    let (namespace, name) = ("shop".to_owned(), "web".to_owned());
    let kind = Kind::Service;
    hub.apply(vec![Change::Delete(ObjectKey {
        kind,
        namespace,
        name,
    })]);
    assert!(watch.borrow_and_update().is_none());
}

#[test]
fn questions_that_nobody_watches_are_forgotten() {
    let hub = hub("");
    for i in 0..10_000 {
        hub.watch(balancing(&format!("service-{i}")));
    }
    assert!(watching(&hub) <= SMALLEST_SWEEP);
    let kept = hub.watch(balancing("kept"));
    apply(&hub, &service("web", "shop", ""));
    assert_eq!(watching(&hub), 1);
    drop(kept);
}
