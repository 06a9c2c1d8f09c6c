//! HTTP/2 connections between proxies do not live for ever.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use http::Response;
use mesh_integration::{
    Load, Mesh, Pair, app, body,
    client::{get, text, whole},
    wait::{soon, until},
    web,
};
use std::sync::Arc;
use tokio::sync::Notify;

/// A client whose connections to endpoints age in a quarter of a second.
async fn pair(app: mesh_integration::Application) -> Pair {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app).start().await;
    let client = mesh
        .pod("client")
        .set("OUTBOUND_CONNECT_HTTP2_MAX_AGE", "250ms");
    let client = client.start().await;
    Pair::of(mesh, server, client)
}

/// Connections of the client's proxy to endpoints: ever opened, open now.
fn connections(pair: &Pair) -> (f64, f64) {
    let of = |name| {
        let labels = ["direction=\"outbound\"", "peer=\"dst\""];
        pair.client.counted(&[&[name][..], &labels].concat())
    };
    (of("tcp_open_total"), of("tcp_open_connections"))
}

#[tokio::test]
async fn an_old_connection_is_replaced_under_load_and_nothing_fails() {
    let pair = pair(app::says("hi")).await;
    let load = Load::start(&pair.client).await;
    until("three connections", || connections(&pair).0 >= 3.0).await;
    load.stop().await;
}

#[tokio::test]
async fn an_old_connection_without_requests_is_closed() {
    let pair = pair(app::says("hi")).await;
    assert_eq!(pair.client.get(&web("/")).await.status(), 200);
    // On a busy machine it may be gone already.
    assert_eq!(connections(&pair).0, 1.0);
    until("the end", || connections(&pair).1 == 0.0).await;
    assert_eq!(pair.client.get(&web("/")).await.status(), 200);
    assert_eq!(connections(&pair).0, 2.0);
}

#[tokio::test]
async fn a_long_answer_outlives_the_age_of_its_connection() {
    let release = Arc::new(Notify::new());
    let held = release.clone();
    let pair = pair(app::http(move |_| {
        let held = held.clone();
        async move {
            let (mut tx, body) = body::channel();
            tokio::spawn(async move {
                tx.data("begun, ").await;
                held.notified().await;
                tx.data("ended").await;
            });
            Response::new(body)
        }
    }))
    .await;
    let mut http = pair.client.http2().await;
    let long = http.send(get(&web("/"))).await;
    // Others find no place on the old connection.
    until("another connection", || {
        connections(&pair).0 >= 2.0 || {
            let mut http = http.clone();
            tokio::spawn(async move { drop(http.try_send(get(&web("/"))).await) });
            false
        }
    })
    .await;
    release.notify_waiters();
    let long = soon("the whole answer", whole(long)).await;
    assert_eq!(text(&long), "begun, ended");
}
