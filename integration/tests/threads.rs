//! A proxy with more than one thread is one proxy.

use http::StatusCode;
use mesh_integration::{
    Mesh, Pair, app,
    client::Http1,
    control::Policy,
    wait::{eventually, until},
    web,
};
use mesh_proxy::drain::Drained;

async fn threaded() -> Pair {
    let mesh = Mesh::start().await;
    let pod = |name| mesh.pod(name).set("CORES", 2);
    let server = pod("web").app(app::says("hi")).start().await;
    let client = pod("client").start().await;
    Pair::of(mesh, server, client)
}

#[tokio::test]
async fn every_connection_is_served_whichever_thread_has_it() {
    let pair = threaded().await;
    let mut connections = Vec::new();
    for _ in 0..50 {
        let mut http = pair.client.http1().await;
        assert_eq!(http.get(&web("/")).await.status(), 200);
        connections.push(http);
    }
    // One balancer with one endpoint, whose one connection all threads share.
    let opened = ["tcp_open_total", "direction=\"outbound\"", "peer=\"dst\""];
    assert_eq!(pair.client.counted(&opened), 1.0);
    pair.server.policy(&pair.mesh, Policy::deny());
    for http in &mut connections {
        eventually("the policy", async || {
            (http.get(&web("/")).await.status() == StatusCode::FORBIDDEN).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn all_threads_drain() {
    let mut pair = threaded().await;
    let mut connections = Vec::new();
    for _ in 0..20 {
        let mut http = pair.client.http1().await;
        http.get(&web("/")).await;
        connections.push(http);
    }
    pair.client.stop();
    until("the ends", || connections.iter().all(Http1::is_closed)).await;
    assert_eq!(pair.client.stopped().await, Drained::Complete);
}
