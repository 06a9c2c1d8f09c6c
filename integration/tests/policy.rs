//! Inbound policies: who may connect, and what a change does to open connections.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use http::StatusCode;
use mesh_integration::{
    Mesh, Pair, Pod, Raw, WEB, app, ca,
    client::{Http1, Http2},
    control::{Authz, Policy},
    peer::{self, Client, Session},
    wait::{eventually, until},
    web,
};
use std::time::Duration;

/// A server reached by interception, under `policy`.
async fn server(mesh: &Mesh, policy: Policy) -> Pod {
    let server = mesh
        .pod("web")
        .app(app::says("hi"))
        .intercepting()
        .start()
        .await;
    server.policy(mesh, policy);
    server
}

/// Waits until a plaintext client is answered with `status`.
async fn plaintext(server: &Pod, status: u16) {
    eventually(format!("{status} in plaintext"), async || {
        let mut http = Http1::connect(server.inbound_addr()).await;
        (http.get("http://web/").await.status() == status).then_some(())
    })
    .await;
}

/// Waits until a client with an identity is answered with `status`.
async fn meshed(mesh: &Mesh, server: &Pod, status: u16) {
    eventually(format!("{status} with an identity"), async || {
        let peer = Client::new(&mesh.ca, "peer").without_alpn();
        let io = peer
            .connect(server.inbound_addr(), server.identity())
            .await
            .unwrap();
        let rsp = Http2::over(io).await.get("http://web/").await;
        (rsp.status() == status).then_some(())
    })
    .await;
}

/// Waits until a client with TLS but no identity is answered with `status`.
async fn anonymous(mesh: &Mesh, server: &Pod, status: u16) {
    eventually(format!("{status} without an identity"), async || {
        let peer = Client::new(&mesh.ca, "peer")
            .without_alpn()
            .presenting(None);
        let io = peer
            .connect(server.inbound_addr(), server.identity())
            .await
            .unwrap();
        let rsp = Http2::over(io).await.get("http://web/").await;
        (rsp.status() == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn all_unauthenticated_lets_everybody_in() {
    let mesh = Mesh::start().await;
    let server = server(&mesh, Policy::all_unauthenticated()).await;
    plaintext(&server, 200).await;
    meshed(&mesh, &server, 200).await;
    anonymous(&mesh, &server, 200).await;
}

#[tokio::test]
async fn all_authenticated_asks_for_an_identity() {
    let mesh = Mesh::start().await;
    let server = server(&mesh, Policy::all_authenticated()).await;
    plaintext(&server, 403).await;
    anonymous(&mesh, &server, 403).await;
    meshed(&mesh, &server, 200).await;
}

#[tokio::test]
async fn tls_is_enough_where_the_policy_says_so() {
    let mesh = Mesh::start().await;
    let policy = Policy::of("all-tls-unauthenticated", [Authz::any_tls()]);
    let server = server(&mesh, policy).await;
    plaintext(&server, 403).await;
    anonymous(&mesh, &server, 200).await;
    meshed(&mesh, &server, 200).await;
}

#[tokio::test]
async fn cluster_policies_ask_for_an_address_of_the_cluster() {
    let mesh = Mesh::start().await;
    let (inside, outside) = (&["127.0.0.0/8"][..], &["10.0.0.0/8"][..]);
    let server = server(&mesh, Policy::cluster_unauthenticated(outside)).await;
    plaintext(&server, 403).await;
    server.policy(&mesh, Policy::cluster_unauthenticated(inside));
    plaintext(&server, 200).await;
    server.policy(&mesh, Policy::cluster_authenticated(inside));
    plaintext(&server, 403).await;
    meshed(&mesh, &server, 200).await;
    server.policy(&mesh, Policy::cluster_authenticated(outside));
    meshed(&mesh, &server, 403).await;
}

#[tokio::test]
async fn deny_lets_nobody_in_and_audit_everybody() {
    let mesh = Mesh::start().await;
    let server = server(&mesh, Policy::deny()).await;
    plaintext(&server, 403).await;
    meshed(&mesh, &server, 403).await;
    server.policy(&mesh, Policy::audit());
    plaintext(&server, 200).await;
    meshed(&mesh, &server, 200).await;
}

#[tokio::test]
async fn one_identity_may_be_enough_or_not() {
    let mesh = Mesh::start().await;
    let only = |sa| Policy::of("only", [Authz::identity(ca::identity(sa))]);
    let server = server(&mesh, only("somebody")).await;
    meshed(&mesh, &server, 403).await;
    server.policy(&mesh, only("peer"));
    meshed(&mesh, &server, 200).await;
}

#[tokio::test]
async fn what_a_route_may_be_for_is_denied_if_that_cannot_be_checked() {
    let pair = Pair::start(app::says("hi")).await;
    let policy = Policy::all_unauthenticated()
        .route("/", &[])
        .route("/admin", &[("x-role", "admin")]);
    pair.server.policy(&pair.mesh, policy);
    let rsp = eventually("the policy", async || {
        Some(pair.client.get(&web("/admin/users")).await).filter(|rsp| rsp.status() == 403)
    })
    .await;
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    assert!(error.contains("can't check headers of"), "{error}");
    assert_eq!(pair.client.get(&web("/public")).await.status(), 200);
}

#[tokio::test]
async fn a_change_holds_for_the_next_request_of_an_open_connection() {
    let pair = Pair::start(app::says("hi")).await;
    let mut http = pair.client.http1().await;
    assert_eq!(http.get(&web("/")).await.status(), 200);
    for (policy, status) in [
        (Policy::deny(), StatusCode::FORBIDDEN),
        (Policy::all_authenticated(), StatusCode::OK),
    ] {
        pair.server.policy(&pair.mesh, policy);
        eventually("the change", async || {
            (http.get(&web("/")).await.status() == status).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn the_reason_is_for_meshed_clients_alone() {
    let pair = Pair::start(app::says("hi")).await;
    pair.server.policy(&pair.mesh, Policy::deny());
    let rsp = eventually("the policy", async || {
        Some(pair.client.get(&web("/")).await).filter(|rsp| rsp.status() == 403)
    })
    .await;
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    assert!(error.contains("stage=authorize"), "{error}");
    assert!(error.contains("fault=client; retry=no"), "{error}");

    let server = server(&pair.mesh, Policy::deny()).await;
    plaintext(&server, 403).await;
    let rsp = Http1::connect(server.inbound_addr())
        .await
        .get("http://web/")
        .await;
    assert!(!rsp.headers().contains_key("l5d-proxy-error"));
    assert!(rsp.body().is_empty());
}

#[tokio::test]
async fn a_port_that_requires_an_identity_does_so_under_every_policy() {
    let mesh = Mesh::start().await;
    let server = demanding(&mesh, "INBOUND_PORTS_REQUIRE_IDENTITY").await;
    meshed(&mesh, &server, 200).await;
    plaintext(&server, 403).await;
    anonymous(&mesh, &server, 403).await;
    let denied = ["inbound_http_authz_deny_total", "tls=\"no_identity\""];
    assert!(server.counted(&denied) > 0.0);
    server.policy(&mesh, Policy::deny());
    meshed(&mesh, &server, 403).await;
    server.policy(&mesh, Policy::all_unauthenticated().opaque());
    closed(&server).await;
}

#[tokio::test]
async fn a_port_that_requires_tls_takes_it_from_anyone() {
    let mesh = Mesh::start().await;
    let server = demanding(&mesh, "INBOUND_PORTS_REQUIRE_TLS").await;
    meshed(&mesh, &server, 200).await;
    anonymous(&mesh, &server, 200).await;
    plaintext(&server, 403).await;
    server.policy(&mesh, Policy::all_unauthenticated().opaque());
    closed(&server).await;
    assert!(server.counted(&["inbound_tcp_authz_deny_total"]) > 0.0);
}

/// A server whose ports are all in `setting`, under a policy that allows all.
async fn demanding(mesh: &Mesh, setting: &str) -> Pod {
    let server = mesh
        .pod("web")
        .app(app::says("hi"))
        .intercepting()
        .set(setting, "1-65535")
        .start()
        .await;
    server.policy(mesh, Policy::all_unauthenticated());
    server
}

/// Waits until a plaintext client is told nothing at all.
async fn closed(server: &Pod) {
    eventually("the end", async || {
        let mut raw = Raw::connect(server.inbound_addr()).await;
        raw.send("GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
            .await;
        raw.rest().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_opaque_connection_is_closed_when_it_is_no_longer_allowed() {
    let pair = Pair::start(app::raw(|mut raw| async move {
        raw.send("hi").await;
        raw.rest().await;
    }))
    .await;
    pair.server
        .policy(&pair.mesh, Policy::all_authenticated().opaque());
    pair.web
        .opaque()
        .endpoints([pair.server.endpoint().opaque()]);
    let mut raw = pair.client.tunnel(WEB).await;
    assert_eq!(raw.take(2).await, b"hi");
    pair.server.policy(&pair.mesh, Policy::deny().opaque());
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn bytes_do_not_pass_by_the_routes_of_an_http_port() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    server.policy(&mesh, Policy::all_unauthenticated().http1());
    eventually("the policy", async || {
        let peer = Client::new(&mesh.ca, "peer");
        let io = peer.connect(server.inbound_addr(), server.identity()).await;
        let mut raw = Raw::new(io.unwrap());
        raw.send(peer::header(server.app_addr().port(), Session::Opaque))
            .await;
        // Nobody would remove what it says in the mesh's name.
        raw.try_send("GET / HTTP/1.0\r\nl5d-client-id: admin\r\n\r\n")
            .await;
        raw.rest().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_opaque_connection_that_is_denied_never_reaches_the_application() {
    let mesh = Mesh::start().await;
    let server = mesh
        .pod("web")
        .app(app::raw(|mut raw| async move {
            raw.send("leaked").await;
        }))
        .start()
        .await;
    server.policy(&mesh, Policy::deny().opaque());
    eventually("the policy", async || {
        let peer = Client::new(&mesh.ca, "peer");
        let io = peer
            .connect(server.inbound_addr(), server.identity())
            .await
            .unwrap();
        let mut raw = Raw::new(io);
        raw.send(peer::header(server.app_addr().port(), Session::Opaque))
            .await;
        raw.rest().await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_pause_in_the_request_line_does_not_get_past_the_routes() {
    let mesh = Mesh::start().await;
    let short = Duration::from_millis(100);
    let policy = Policy::all_unauthenticated()
        .detecting_within(short)
        .route("/public", &[]);
    let server = server(&mesh, policy).await;
    eventually("the policy", async || {
        let mut http = Http1::connect(server.inbound_addr()).await;
        (http.get("http://web/admin").await.status() == 404).then_some(())
    })
    .await;
    for begin in ["GET", "GET /admin HTT"] {
        let results = || server.counted(&["inbound_tcp_detect_http_results_total"]);
        let before = results();
        let mut raw = Raw::connect(server.inbound_addr()).await;
        raw.send(begin).await;
        until("the detection to end", || results() > before).await;
        let whole = "GET /admin HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n";
        raw.send(&whole[begin.len()..]).await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{begin}: {answer}");
    }
}

#[tokio::test]
async fn a_transport_header_counts_only_if_it_is_allowed() {
    let pair = Pair::start(app::says("hi")).await;
    let headers = || {
        pair.server
            .counted(&["inbound_tcp_transport_header_connections_total"])
    };
    assert_eq!(pair.client.get(&web("/")).await.status(), 200);
    assert_eq!(headers(), 1.0);
    pair.server.policy(&pair.mesh, Policy::deny());
    eventually("the policy", async || {
        (pair.client.get(&web("/")).await.status() == 403).then_some(())
    })
    .await;
    let peer = Client::new(&pair.mesh.ca, "peer");
    let (addr, name) = (pair.server.inbound_addr(), pair.server.identity());
    let mut raw = Raw::new(peer.connect(addr, name).await.unwrap());
    raw.send(peer::header(pair.server.app_addr().port(), Session::Http1))
        .await;
    raw.send("GET / HTTP/1.1\r\nhost: web\r\n\r\n").await;
    assert!(raw.head().await.starts_with("HTTP/1.1 403"));
    assert_eq!(headers(), 1.0);
}
