//! Requests of every form, good and garbage.

use crate::{
    mesh::{Mesh, channel, choice, get, get_as, port, refused, soon, traffic},
    vectors::read,
};
use linkerd2_proxy_api::{
    net::{IpAddress, TcpAddress},
    outbound::{TrafficSpec, traffic_spec::Target},
};
use mesh_controller::generated::balancing::balancing_client::BalancingClient;
use tonic::Code;

#[tokio::test]
async fn names_in_every_form() {
    let mesh = Mesh::start(&read("vectors/manifests.yaml")).await;
    let mut destination = mesh.destination().await;
    let cases = [
        ("web.shop", Code::Ok),
        ("web.shop:80", Code::Ok),
        ("WEB.shop.svc", Code::Ok),
        ("web.shop.svc.cluster.local.:80", Code::Ok),
        ("sts-0.sts.shop", Code::Ok),
        ("nope.shop", Code::NotFound),
        ("web.nowhere", Code::NotFound),
        ("localhost:80", Code::NotFound),
        ("www.example.com:443", Code::NotFound),
        ("web.shop.svc.other.domain", Code::NotFound),
        ("10.1.1.1:8080", Code::InvalidArgument),
        ("[::1]:80", Code::InvalidArgument),
        ("", Code::InvalidArgument),
        ("web.shop:http", Code::InvalidArgument),
        ("web.shop:0", Code::InvalidArgument),
        ("a b", Code::InvalidArgument),
    ];
    for (path, code) in cases {
        assert_eq!(refused(destination.get(get(path)).await), code, "{path:?}");
    }
    let mut outbound = mesh.outbound().await;
    assert_eq!(refused(outbound.get(traffic("web.shop")).await), Code::Ok);
    assert_eq!(
        refused(outbound.get(traffic("10.2.1.1:80")).await),
        Code::Ok
    );
    assert_eq!(
        refused(outbound.get(traffic("nope.shop")).await),
        Code::NotFound
    );
    let mut balancing = mesh.balancing().await;
    assert_eq!(refused(balancing.watch(choice("web.shop")).await), Code::Ok);
    for authority in ["nope.shop", "10.2.1.1:80", "ext.shop"] {
        assert_eq!(
            refused(balancing.watch(choice(authority)).await),
            Code::NotFound
        );
    }
    mesh.stop().await;
}

#[tokio::test]
async fn garbage_is_refused_and_forgotten() {
    let mesh = Mesh::start(&read("vectors/manifests.yaml")).await;
    let long = "x".repeat(1 << 20);
    let nested = "[".repeat(100_000);
    let mut destination = mesh.destination().await;
    for text in [
        "\u{0}",
        "{}",
        "::::",
        "%2e%2e",
        long.as_str(),
        nested.as_str(),
    ] {
        assert_eq!(
            refused(destination.get(get(text)).await),
            Code::InvalidArgument
        );
        assert_eq!(
            refused(destination.get_profile(get(text)).await),
            Code::InvalidArgument
        );
        // A token only tunes the answer.
        assert_eq!(
            refused(destination.get(get_as("web.shop", text)).await),
            Code::Ok
        );
    }
    mesh.stop().await;
}

#[tokio::test]
async fn workloads_and_ports_that_make_no_sense() {
    let mesh = Mesh::start(&read("vectors/manifests.yaml")).await;
    let nested = "[".repeat(100_000);
    let mut inbound = mesh.inbound().await;
    let pod = r#"{"ns":"shop","pod":"web-0"}"#;
    let specs = [
        ("", 80),
        ("{}", 80),
        ("{\"ns\":", 80),
        (&nested, 80),
        (pod, 0),
        (pod, 65_536),
        (pod, u32::MAX),
    ];
    for (workload, number) in specs {
        let spec = || port(workload, number);
        assert_eq!(
            refused(inbound.get_port(spec()).await),
            Code::InvalidArgument
        );
        assert_eq!(
            refused(inbound.watch_port(spec()).await),
            Code::InvalidArgument
        );
    }
    assert_eq!(
        refused(inbound.get_port(port("shop:web-0", 8080)).await),
        Code::Ok
    );
    assert_eq!(
        refused(inbound.get_port(port("shop:nobody", 8080)).await),
        Code::NotFound
    );
    mesh.stop().await;
}

#[tokio::test]
async fn targets_that_make_no_sense() {
    let mesh = Mesh::start(&read("vectors/manifests.yaml")).await;
    let address = |ip, port| Some(Target::Addr(TcpAddress { ip, port }));
    let loopback = || Some(std::net::IpAddr::from([127, 0, 0, 1]).into());
    let empty = Some(IpAddress { ip: None });
    let targets = [
        None,
        address(None, 80),
        address(empty, 80),
        address(loopback(), 0),
        address(loopback(), 65_536),
    ];
    let mut outbound = mesh.outbound().await;
    for target in targets {
        let spec = TrafficSpec {
            source_workload: "x".repeat(1000),
            target,
        };
        assert_eq!(refused(outbound.watch(spec).await), Code::InvalidArgument);
    }
    let good = outbound.watch(traffic("web.shop")).await;
    assert_eq!(refused(good), Code::Ok, "all is well");
    mesh.stop().await;
}

/// A client can tell a controller that lacks a service from one that fails.
#[tokio::test]
async fn services_are_where_they_belong() {
    let mesh = Mesh::start(&read("vectors/manifests.yaml")).await;
    let mut elsewhere = BalancingClient::new(channel(mesh.policy_addr()).await);
    let answer = elsewhere.watch(choice("web.shop")).await;
    assert_eq!(refused(answer), Code::Unimplemented);
    mesh.stop().await;
}

/// Bytes that are no HTTP/2, and a client that sends nothing, hurt no other.
#[tokio::test]
async fn connections_that_make_no_sense() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mesh = Mesh::start(&read("vectors/manifests.yaml")).await;
    let _silent = tokio::net::TcpStream::connect(mesh.destination_addr())
        .await
        .unwrap();
    let mut garbage = tokio::net::TcpStream::connect(mesh.destination_addr())
        .await
        .unwrap();
    garbage.write_all(&[0xff; 4096]).await.unwrap();
    let mut rest = Vec::new();
    let _ = soon(garbage.read_to_end(&mut rest)).await;
    assert_eq!(
        refused(mesh.destination().await.get(get("web.shop")).await),
        Code::Ok
    );
}
