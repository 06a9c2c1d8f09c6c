//! What Linkerd's controllers sent while objects changed, asked of ours.
//!
//! Whether a step that brings no message has been taken in is seen on another
//! stream: each step also changes the balancing choice of a marker Service in
//! the same file, and a batch of changes reaches all streams together.

use crate::{
    json,
    mesh::{self, Mesh, choice, get, soon, traffic},
    vectors::{conform, read},
};
use mesh_controller::generated::balancing::BalancingPolicy;
use prost::Message;
use serde_json::Value;
use std::fmt::Write;
use tonic::Streaming;

/// The Service `plain` and its slice at each step of the recorded sequence.
const STEPS: [(&str, Option<&[Endpoint]>, bool); 8] = [
    ("the stream is opened", Some(&[FIRST]), true),
    ("the second endpoint is added", Some(&[FIRST, SECOND]), true),
    (
        "the first becomes unready",
        Some(&[
            Endpoint {
                ready: false,
                ..FIRST
            },
            SECOND,
        ]),
        true,
    ),
    (
        "both are terminating",
        Some(&[
            Endpoint {
                ready: false,
                ..FIRST
            },
            Endpoint {
                ready: false,
                ..SECOND
            },
        ]),
        true,
    ),
    ("the slice is deleted", None, true),
    ("the slice is back with one endpoint", Some(&[FIRST]), true),
    ("the service is deleted", None, false),
    (
        "the service and its slice are made again",
        Some(&[FIRST]),
        true,
    ),
];

#[derive(Clone, Copy)]
struct Endpoint {
    pod: &'static str,
    ip: &'static str,
    ready: bool,
}

const FIRST: Endpoint = Endpoint {
    pod: "plain-0",
    ip: "10.1.2.1",
    ready: true,
};

const SECOND: Endpoint = Endpoint {
    pod: "plain-1",
    ip: "10.1.2.2",
    ready: true,
};

const FIXED: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Pod, metadata: {name: plain-0, namespace: shop}, spec: {serviceAccountName: plain, containers: []}, status: {podIP: 10.1.2.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: plain-1, namespace: shop}, spec: {serviceAccountName: plain, containers: []}, status: {podIP: 10.1.2.2}}
";

/// The manifests at one step.
fn manifests(step: usize) -> String {
    let (_, endpoints, service) = STEPS[step];
    let choice = ["random", "round-robin"][step % 2];
    let mut text = format!(
        "{FIXED}---\n{{apiVersion: v1, kind: Service, metadata: {{name: marker, namespace: shop, annotations: {{balancer.mesh.dev/policy: {choice}}}}}, spec: {{ports: [{{port: 1}}]}}}}\n"
    );
    if service {
        text.push_str("---\n{apiVersion: v1, kind: Service, metadata: {name: plain, namespace: shop}, spec: {clusterIP: 10.2.0.2, ports: [{port: 80}]}}\n");
    }
    if let Some(endpoints) = endpoints {
        let mut list = String::new();
        for Endpoint { pod, ip, ready } in endpoints {
            write!(list, "{{addresses: [{ip}], conditions: {{ready: {ready}}}, targetRef: {{kind: Pod, name: {pod}, namespace: shop}}}},").unwrap();
        }
        write!(text, "---\n{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, metadata: {{name: plain-1, namespace: shop, labels: {{kubernetes.io/service-name: plain}}}}, ports: [{{name: '', port: 80}}], endpoints: [{list}]}}\n").unwrap();
    }
    text
}

/// Goes through the steps and compares the messages of each.
async fn check<T: Message + Default>(
    mesh: Mesh,
    mut stream: Streaming<T>,
    message: &str,
    file: &str,
) {
    let mut marker = marker(&mesh).await;
    let recorded: Value = serde_json::from_str(&read(file)).unwrap();
    let steps = recorded["steps"].as_array().expect("a list of steps");
    assert_eq!(steps.len(), STEPS.len());
    for (number, step) in steps.iter().enumerate() {
        assert_eq!(step["when"], STEPS[number].0);
        mesh.write("manifests.yaml", &manifests(number));
        if number > 0 {
            mesh::next(&mut marker).await;
        }
        let mut expected = step["messages"].clone();
        conform(&mut expected);
        for expected in expected.as_array().expect("a list of messages") {
            let received = json::of(&mesh::next(&mut stream).await, message);
            assert_eq!(&received, expected, "{}", step["when"]);
        }
    }
    mesh.stop().await;
    let last = soon(stream.message()).await.expect("the stream ends well");
    assert!(last.is_none(), "more came than expected");
}

/// Watches the marker, with its present choice taken.
async fn marker(mesh: &Mesh) -> Streaming<BalancingPolicy> {
    let watch = mesh.balancing().await.watch(choice("marker.shop")).await;
    let mut watch = watch.expect("the marker is there").into_inner();
    mesh::next(&mut watch).await;
    watch
}

#[tokio::test]
async fn endpoints() {
    let mesh = Mesh::start(&manifests(0)).await;
    let request = get("plain.shop.svc.cluster.local:80");
    let stream = mesh
        .destination()
        .await
        .get(request)
        .await
        .unwrap()
        .into_inner();
    check(
        mesh,
        stream,
        "io.linkerd.proxy.destination.Update",
        "vectors/sequence/get-plain.json",
    )
    .await;
}

#[tokio::test]
async fn profile() {
    let mesh = Mesh::start(&manifests(0)).await;
    let stream = mesh
        .destination()
        .await
        .get_profile(get("10.2.0.2:80"))
        .await;
    let name = "io.linkerd.proxy.destination.DestinationProfile";
    let file = "vectors/sequence/profile-plain-cluster-ip.json";
    check(mesh, stream.unwrap().into_inner(), name, file).await;
}

#[tokio::test]
async fn outbound() {
    let mesh = Mesh::start(&manifests(0)).await;
    let stream = mesh.outbound().await.watch(traffic("10.2.0.2:80")).await;
    let name = "io.linkerd.proxy.outbound.OutboundPolicy";
    check(
        mesh,
        stream.unwrap().into_inner(),
        name,
        "vectors/sequence/outbound-plain.json",
    )
    .await;
}
