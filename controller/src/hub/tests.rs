//! Watches are shared, and hear only of changes.

use super::{watches::SMALLEST_SWEEP, *};
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
    hub.state.lock().balancing.len()
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
    let abandoned = hub.watch(balancing("web"));
    let before = watching(&hub);
    drop(abandoned);
    apply(&hub, &service("web", "shop", ""));
    assert_eq!(watching(&hub), before - 1);
}

/// One of a few objects in one of its states, as YAML.
fn random_object(random: &mut impl rand::Rng) -> String {
    let (name, port) = (
        ["a", "b"][random.random_range(0..2)],
        8080 + random.random_range(0..2),
    );
    let opaque = match random.random_range(0..3) {
        0 => "config.mesh.dev/opaque-ports: '80'",
        1 => "config.mesh.dev/opaque-ports: '8080'",
        _ => "",
    };
    match random.random_range(0..5) {
        0 => format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, annotations: {{{opaque}}}}}}}"
        ),
        1 => format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: shop, annotations: {{{opaque}}}}}, spec: {{clusterIP: 10.2.0.{}, selector: {{app: {name}}}, ports: [{{port: 80, targetPort: {port}}}]}}}}",
            random.random_range(1..3)
        ),
        2 => format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: node, labels: {{topology.kubernetes.io/zone: {name}}}}}}}"
        ),
        3 => format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}-0, namespace: shop, annotations: {{{opaque}}}, labels: {{app: {name}, mesh.dev/control-plane-ns: mesh}}}}, spec: {{serviceAccountName: {name}, containers: [{{name: mesh-proxy}}]}}, status: {{podIP: 10.1.0.{}}}}}",
            random.random_range(1..3)
        ),
        _ => format!(
            "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {{name: {name}-1, namespace: shop, labels: {{kubernetes.io/service-name: {}}}}}, ports: [{{port: {port}}}], endpoints: [{{addresses: [10.1.0.1], hostname: h, zone: a, targetRef: {{kind: Pod, name: a-0}}}}, {{addresses: [10.1.0.2], targetRef: {{kind: Pod, name: b-0}}}}]}}",
            ["a", "b"][random.random_range(0..2)]
        ),
    }
}

/// Compares what a question was last told with the answer worked out anew.
fn is_current<Q: Watched>(hub: &Hub, query: &Q, watch: &watch::Receiver<Answer<Q>>, step: usize) {
    assert_eq!(
        *watch.borrow(),
        hub.get(query),
        "{query:?} after step {step}"
    );
}

#[test]
fn no_change_passes_an_answer_by() {
    use rand::{Rng as _, SeedableRng as _};
    let mut random = rand::rngs::SmallRng::seed_from_u64(7);
    let hub = hub("");
    let name = |host: Option<&str>| crate::model::authority::ServiceName {
        namespace: "shop".to_owned(),
        name: "a".to_owned(),
        hostname: host.map(str::to_owned),
        port: 80,
    };
    let endpoints = EndpointsQuery {
        service: name(None),
        node: Some("node".to_owned()),
    };
    let profiles = [
        ProfileQuery::Service(name(None)),
        ProfileQuery::Service(name(Some("h"))),
        ProfileQuery::Address("10.1.0.1:8080".parse().unwrap()),
        ProfileQuery::Address("10.2.0.1:80".parse().unwrap()),
    ];
    let outbound = [
        OutboundQuery::Service(name(None)),
        OutboundQuery::Address("10.2.0.1:80".parse().unwrap()),
        OutboundQuery::Address("10.1.0.1:80".parse().unwrap()),
    ];
    let inbound = InboundQuery {
        namespace: "shop".to_owned(),
        pod: "a-0".to_owned(),
        port: 8080,
    };
    let endpoints = (endpoints.clone(), hub.watch(endpoints));
    let profiles = profiles.map(|query| (query.clone(), hub.watch(query)));
    let outbound = outbound.map(|query| (query.clone(), hub.watch(query)));
    let inbound = (inbound.clone(), hub.watch(inbound));
    for step in 0..3000 {
        let object = objects(&random_object(&mut random)).pop().unwrap();
        let change = match random.random_ratio(1, 4) {
            true => Change::Delete(object.key()),
            false => Change::Apply(object),
        };
        hub.apply(vec![change]);
        is_current(&hub, &endpoints.0, &endpoints.1, step);
        is_current(&hub, &inbound.0, &inbound.1, step);
        for (query, watch) in &profiles {
            is_current(&hub, query, watch, step);
        }
        for (query, watch) in &outbound {
            is_current(&hub, query, watch, step);
        }
    }
}
