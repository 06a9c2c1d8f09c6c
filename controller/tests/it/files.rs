//! Changes of files reach the streams; bad files reach nobody.

use crate::mesh::{self, Mesh, choice, get, refused};
use linkerd2_proxy_api::destination::update::Update as Kind;
use mesh_controller::generated::balancing::balancing_policy::Kind as Choice;
use tonic::Code;

fn service(policy: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: web, namespace: shop, annotations: {{balancer.mesh.dev/policy: {policy}}}}}, spec: {{ports: [{{port: 80}}]}}}}\n"
    )
}

fn slice(address: &str) -> String {
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {{name: web-1, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}, ports: [{{port: 8080}}], endpoints: [{{addresses: [{address}]}}]}}\n"
    )
}

#[tokio::test]
async fn the_balancing_choice_follows_the_annotation() {
    let mesh = Mesh::start(&service("random")).await;
    let watch = mesh.balancing().await.watch(choice("web.shop:80")).await;
    let mut watch = watch.unwrap().into_inner();
    let mut expect = async |expected: fn(&Choice) -> bool| {
        let kind = mesh::next(&mut watch).await.kind.expect("always a kind");
        assert!(expected(&kind), "{kind:?}");
    };
    expect(|kind| matches!(kind, Choice::Random(_))).await;
    mesh.write("manifests.yaml", &service("least-request"));
    expect(|kind| matches!(kind, Choice::LeastRequest(_))).await;
    mesh.write("manifests.yaml", &service("round-robin"));
    expect(|kind| matches!(kind, Choice::RoundRobin(_))).await;
    mesh.write("manifests.yaml", &service("no-such-policy"));
    expect(|kind| matches!(kind, Choice::PeakEwma(_))).await;
    mesh.stop().await;
}

#[tokio::test]
async fn a_file_may_come_later() {
    let mesh = Mesh::start(&service("random")).await;
    let stream = mesh.destination().await.get(get("web.shop")).await;
    let mut stream = stream.unwrap().into_inner();
    let first = mesh::next(&mut stream).await.update;
    assert!(matches!(first, Some(Kind::NoEndpoints(none)) if none.exists));
    mesh.write("slice.yaml", &slice("127.0.1.1"));
    assert!(matches!(
        mesh::next(&mut stream).await.update,
        Some(Kind::Add(_))
    ));
    mesh.stop().await;
}

#[tokio::test]
async fn a_broken_file_takes_nothing_down() {
    let mesh = Mesh::start(&service("random")).await;
    mesh.write("slice.yaml", &slice("127.0.1.1"));
    let stream = mesh.destination().await.get(get("web.shop")).await;
    let mut stream = stream.unwrap().into_inner();
    let mut update = mesh::next(&mut stream).await.update;
    if matches!(update, Some(Kind::NoEndpoints(_))) {
        update = mesh::next(&mut stream).await.update;
    }
    assert!(matches!(update, Some(Kind::Add(_))));
    // The bad slice has no effect; the good change after it has.
    mesh.write("slice.yaml", &slice("127.0.1.999"));
    mesh.write("other.yaml", &service("random").replace("web", "marker"));
    let mut client = mesh.destination().await;
    while refused(client.get(get("marker.shop")).await) == Code::NotFound {
        tokio::task::yield_now().await;
    }
    mesh.write("slice.yaml", &slice("127.0.1.2"));
    let Some(Kind::Add(set)) = mesh::next(&mut stream).await.update else {
        panic!("the next message is about the good file");
    };
    assert_eq!(set.addrs.len(), 1);
    mesh.stop().await;
}
