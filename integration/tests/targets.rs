//! What a request or connection is for: services, pods, and what nobody knows.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use mesh_integration::{
    Endpoint, Mesh, Pair, Raw, WEB, app, ca,
    client::{Http1, text},
    wait::eventually,
    web,
};
use std::{net::SocketAddr, time::Duration};

#[tokio::test]
async fn a_meshed_pod_by_its_address_is_reached_with_mutual_tls() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let client = mesh.pod("client").start().await;
    mesh.control.pod(server.endpoint());
    let rsp = client.get(&format!("http://{}/x", server.app_addr())).await;
    let id = format!("l5d-client-id: {}\n", client.identity());
    assert!(text(&rsp).ends_with(&id), "{}", text(&rsp));
}

#[tokio::test]
async fn a_redirected_connection_to_a_pod_has_mutual_tls_too() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let client = mesh
        .pod("client")
        .redirecting(server.app_addr())
        .start()
        .await;
    mesh.control.pod(server.endpoint());
    let rsp = client.get("http://any/x").await;
    assert!(
        text(&rsp).contains("l5d-client-id: client."),
        "{}",
        text(&rsp)
    );
}

#[tokio::test]
async fn a_pod_whose_identity_is_another_is_not_reached_in_plaintext() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::says("leaked")).start().await;
    let client = mesh.pod("client").start().await;
    let endpoint = Endpoint {
        identity: Some(ca::identity("other")),
        ..server.endpoint()
    };
    mesh.control.pod(endpoint);
    let rsp = client.get(&format!("http://{}/", server.app_addr())).await;
    assert_eq!(rsp.status(), 502);
}

#[tokio::test]
async fn a_name_of_no_service_is_asked_of_dns() {
    let mesh = Mesh::start().await;
    let client = mesh.pod("client").start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let _serving = tokio::spawn(app::says("local")(listener));
    let rsp = client.get(&format!("http://localhost:{port}/")).await;
    assert_eq!((rsp.status().as_u16(), text(&rsp)), (200, "local"));
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_a_502_that_says_so() {
    let mesh = Mesh::start().await;
    let resolv_conf = mesh.path("resolv.conf");
    // Nobody answers there, and says so at once.
    std::fs::write(
        &resolv_conf,
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    )
    .unwrap();
    let client = mesh.pod("client").set("RESOLV_CONF", resolv_conf.display());
    let client = client.start().await;
    let rsp = client.get("http://nobody.invalid/").await;
    assert_eq!(rsp.status(), 502, "{}", text(&rsp));
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    assert!(error.contains("nobody.invalid"), "{error}");
}

#[tokio::test]
async fn case_and_a_last_dot_of_a_name_do_not_matter() {
    let pair = Pair::start(app::says("hi")).await;
    for host in [
        "WEB.Shop.svc.cluster.local",
        "web.shop.svc.cluster.local.",
        "web.shop.svc.cluster.local:80",
    ] {
        let rsp = pair.client.get(&format!("http://{host}/")).await;
        assert_eq!(rsp.status(), 200, "{host}");
    }
}

#[tokio::test]
async fn requests_of_one_connection_may_be_for_different_services() {
    let pair = Pair::start(app::says("web")).await;
    let other = pair.mesh.pod("api").app(app::says("api")).start().await;
    let api = pair.mesh.service("api.shop.svc.cluster.local:80");
    api.endpoints([other.endpoint()]);
    let mut http = pair.client.http1().await;
    for _ in 0..3 {
        assert_eq!(text(&http.get(&web("/")).await), "web");
        assert_eq!(
            text(&http.get("http://api.shop.svc.cluster.local/").await),
            "api"
        );
    }
}

#[tokio::test]
async fn a_connection_that_was_for_another_address_is_not_ours() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::says("hi")).intercepting();
    let server = server.set("INBOUND_IPS", "10.1.2.3").start().await;
    let mut raw = Raw::connect(server.inbound_addr()).await;
    raw.try_send("GET / HTTP/1.1\r\nhost: web\r\n\r\n").await;
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn bytes_for_nobody_are_closed_and_not_left_waiting() {
    let mesh = Mesh::start().await;
    let client = mesh
        .pod("client")
        .set("OUTBOUND_DETECT_TIMEOUT", "100ms")
        .start()
        .await;
    let mut raw = client.raw().await;
    raw.send("\x00\x01no http\r\n").await;
    assert_eq!(raw.rest().await, "");
    assert_eq!(client.raw().await.rest().await, "", "silent");
}

#[tokio::test]
async fn a_redirected_connection_to_our_own_listener_is_a_loop() {
    let mesh = Mesh::start().await;
    let first = mesh.pod("client").start().await;
    let addr: SocketAddr = first.outbound_addr();
    let mut http = Http1::connect(addr).await;
    let rsp = http.get(&format!("http://{addr}/")).await;
    assert_eq!(rsp.status(), 508);
}

#[tokio::test]
async fn a_tunnel_by_connect_knows_services_by_name() {
    let pair = Pair::start(app::says("hi")).await;
    let raw = pair.client.tunnel(WEB).await;
    let mut http = Http1::over(raw.into_inner()).await;
    assert_eq!(text(&http.get("http://inside/").await), "hi");
    pair.web.queue(10, Duration::from_millis(100)).endpoints([]);
    eventually("the service to be without endpoints", async || {
        (http.get("http://inside/").await.status() == 503).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_reason_of_an_error_can_be_kept_from_applications() {
    let mesh = Mesh::start().await;
    let setting = "OUTBOUND_DISABLE_INFORMATIONAL_HEADERS";
    let client = mesh.pod("client").set(setting, true).start().await;
    let rsp = client
        .get(&format!("http://{}/", client.outbound_addr()))
        .await;
    assert_eq!(rsp.status(), 508);
    assert!(!rsp.headers().contains_key("l5d-proxy-error"));
}
