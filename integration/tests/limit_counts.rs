//! Limits that are reached, and what is told of them.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use http::Request;
use mesh_integration::{
    Mesh, Pair, Pod, app,
    client::Http1,
    control::Policy,
    wait::{eventually, soon, until},
    web,
};
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::net::TcpStream;

/// A server and a client whose proxy has these settings.
async fn pair(server: impl AsyncFnOnce(&Mesh) -> Pod, settings: &[(&str, &str)]) -> Pair {
    let mesh = Mesh::start().await;
    let server = server(&mesh).await;
    let mut client = mesh.pod("client");
    for (name, value) in settings {
        client = client.set(name, value);
    }
    let client = client.start().await;
    Pair::of(mesh, server, client)
}

async fn says_hi(mesh: &Mesh) -> Pod {
    mesh.pod("web").app(app::says("hi")).start().await
}

#[tokio::test]
async fn connections_over_the_limit_wait_and_are_counted() {
    let pair = pair(says_hi, &[("OUTBOUND_MAX_CONNECTIONS", "1")]).await;
    let mut first = pair.client.http1().await;
    assert_eq!(first.get(&web("/")).await.status(), 200);
    // The kernel takes the connection; the proxy does not read from it yet.
    let mut second = Http1::connect(pair.client.outbound_addr()).await;
    let uri = web("/");
    let request = second.get(&uri);
    tokio::pin!(request);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut request).await;
    assert!(early.is_err(), "served over the limit");
    assert!(
        pair.client
            .counted(&["outbound_tcp_connection_limit_reached_total"])
            >= 1.0
    );
    drop(first);
    assert_eq!(soon("a place", request).await.status(), 200);
}

#[tokio::test]
async fn a_client_that_resets_too_fast_is_cut_off_and_counted() {
    let begun = Arc::new(AtomicUsize::new(0));
    let seen = begun.clone();
    let app = app::http(move |_| {
        seen.fetch_add(1, Relaxed);
        pending()
    });
    let server = async |mesh: &Mesh| mesh.pod("web").app(app).start().await;
    // All streams of a connection may be reset at once, so that limit is as low.
    let settings = [
        ("OUTBOUND_MAX_RESETS_PER_SECOND", "5"),
        ("OUTBOUND_SERVER_HTTP2_MAX_CONCURRENT_STREAMS", "5"),
    ];
    let pair = pair(server, &settings).await;
    let tcp = TcpStream::connect(pair.client.outbound_addr()).await;
    let (send, connection) = h2::client::handshake(tcp.unwrap()).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut send = send.ready().await.unwrap();
    for resets in 0..6 {
        let request = Request::get(web("/")).body(()).unwrap();
        let (_rsp, mut body) = send.send_request(request, false).unwrap();
        until("the request", || begun.load(Relaxed) > resets).await;
        body.send_reset(h2::Reason::CANCEL);
    }
    let _end = soon("the end", connection).await;
    until("the count", || {
        pair.client.counted(&["outbound_http_reset_floods_total"]) == 1.0
    })
    .await;
}

#[tokio::test]
async fn waiting_for_an_endpoint_is_measured() {
    let pair = pair(says_hi, &[]).await;
    pair.web.queue(10, Duration::from_millis(100)).endpoints([]);
    assert_eq!(pair.client.get(&web("/")).await.status(), 503);
    let stem = "outbound_http_balancer_queue_latency_seconds";
    let of = |what: &str| {
        pair.client
            .counted(&[&format!("{stem}_{what}"), "name=\"web\""])
    };
    assert_eq!(of("count"), 1.0);
    assert!(of("sum") >= 0.1);
}

#[tokio::test]
async fn an_application_that_wants_no_explanations_gets_none() {
    let off = ("OUTBOUND_DISABLE_INFORMATIONAL_HEADERS", "true");
    let pair = pair(says_hi, &[off]).await;
    pair.server.policy(&pair.mesh, Policy::deny());
    // Of the server's proxy, then of the client's own.
    let denied = eventually("the policy", async || {
        Some(pair.client.get(&web("/")).await).filter(|rsp| rsp.status() == 403)
    })
    .await;
    pair.web.queue(10, Duration::from_millis(50)).endpoints([]);
    let failed = eventually("the endpoints", async || {
        Some(pair.client.get(&web("/")).await).filter(|rsp| rsp.status() == 503)
    })
    .await;
    for rsp in [denied, failed] {
        assert!(!rsp.headers().contains_key("l5d-proxy-error"), "{rsp:?}");
    }
}
