//! Limits on what a client can make a proxy hold.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use http::Response;
use mesh_integration::{
    Application, Mesh, Pair, Raw, app,
    body::{empty, full},
    client::{get, text},
    peer,
    wait::{soon, until},
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
use tokio::{sync::Notify, task::JoinSet};

/// An application whose requests wait for `release`, with the count of those that wait.
fn waiting(release: &Arc<Notify>) -> (Application, Arc<AtomicUsize>) {
    let (release, waiting) = (release.clone(), Arc::new(AtomicUsize::new(0)));
    let count = waiting.clone();
    let app = app::http(move |_| {
        let (release, count) = (release.clone(), count.clone());
        async move {
            count.fetch_add(1, Relaxed);
            release.notified().await;
            count.fetch_sub(1, Relaxed);
            Response::new(full("done"))
        }
    });
    (app, waiting)
}

/// A pair whose client's proxy, or server's, has one setting changed.
async fn pair(app: Application, setting: &str, value: u32) -> Pair {
    let mesh = Mesh::start().await;
    let (mut server, mut client) = (mesh.pod("web").app(app), mesh.pod("client"));
    if setting.starts_with("INBOUND") {
        server = server.set(setting, value);
    } else {
        client = client.set(setting, value);
    }
    let (server, client) = (server.start().await, client.start().await);
    Pair::of(mesh, server, client)
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let pair = pair(app::says("hi"), "OUTBOUND_MAX_CONNECTIONS", 2).await;
    let mut held = [pair.client.http1().await, pair.client.http1().await];
    for http in &mut held {
        assert_eq!(http.get(&web("/")).await.status(), 200);
    }
    let mut third = pair.client.raw().await;
    third
        .send("GET / HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\n\r\n")
        .await;
    assert!(third.is_silent(Duration::from_millis(200)).await);
    drop(held);
    assert!(third.until("hi").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn connections_of_peers_beyond_the_limit_wait_for_a_place() {
    let pair = pair(app::says("hi"), "INBOUND_MAX_CONNECTIONS", 1).await;
    let held = Raw::connect(pair.server.inbound_addr()).await;
    // It is accepted first: connections are in the order in which they came.
    let uri = web("/");
    let request = pair.client.get(&uri);
    tokio::pin!(request);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut request).await;
    assert!(early.is_err(), "{early:?}");
    drop(held);
    assert_eq!(request.await.status(), 200);
}

/// Three requests where two may be in flight: the third is refused, the others are not.
async fn two_in_flight(setting: &str) {
    let release = Arc::new(Notify::new());
    let (app, waiting) = waiting(&release);
    let pair = pair(app, setting, 2).await;
    let http = pair.client.http2().await;
    let mut running = Vec::new();
    for _ in 0..2 {
        let mut http = http.clone();
        running.push(tokio::spawn(async move { http.get(&web("/")).await }));
    }
    until("two requests", || waiting.load(Relaxed) == 2).await;
    let rsp = http.clone().get(&web("/")).await;
    assert_eq!(rsp.status(), 503);
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    assert!(
        error.contains("requests in flight") && error.contains("retry=yes"),
        "{error}"
    );
    release.notify_waiters();
    for request in running {
        assert_eq!(text(&request.await.unwrap()), "done");
    }
    // The places are free again.
    let next = tokio::spawn(async move { http.clone().get(&web("/")).await });
    until("the next", || waiting.load(Relaxed) == 1).await;
    release.notify_waiters();
    assert_eq!(next.await.unwrap().status(), 200);
}

#[tokio::test]
async fn requests_in_flight_beyond_the_limit_are_refused_by_the_clients_proxy() {
    two_in_flight("OUTBOUND_MAX_IN_FLIGHT").await;
}

#[tokio::test]
async fn requests_in_flight_beyond_the_limit_are_refused_by_the_servers_proxy() {
    two_in_flight("INBOUND_MAX_IN_FLIGHT").await;
}

#[tokio::test]
async fn a_client_is_told_how_many_streams_it_may_open() {
    let setting = "OUTBOUND_SERVER_HTTP2_MAX_CONCURRENT_STREAMS";
    let pair = pair(app::says("hi"), setting, 3).await;
    let io = tokio::net::TcpStream::connect(pair.client.outbound_addr())
        .await
        .unwrap();
    let (send, mut connection) = h2::client::handshake(io).await.unwrap();
    let mut send: h2::client::SendRequest<bytes::Bytes> = send;
    let told = std::future::poll_fn(|cx| {
        let _pending = std::pin::Pin::new(&mut connection).poll(cx);
        match connection.max_concurrent_send_streams() {
            3 => std::task::Poll::Ready(()),
            _ => std::task::Poll::Pending,
        }
    });
    soon("the settings", told).await;
    tokio::spawn(connection);
    let rsp = send.send_request(http::Request::get(web("/")).body(()).unwrap(), true);
    assert_eq!(
        soon("the answer", rsp.unwrap().0).await.unwrap().status(),
        200
    );
}

#[tokio::test]
async fn a_peer_that_allows_few_streams_gets_more_connections() {
    let release = Arc::new(Notify::new());
    let (app, waiting) = waiting(&release);
    // The server's proxy allows two streams a connection.
    let setting = "INBOUND_SERVER_HTTP2_MAX_CONCURRENT_STREAMS";
    let pair = pair(app, setting, 2).await;
    let http = pair.client.http2().await;
    let mut running = Vec::new();
    for _ in 0..7 {
        let mut http = http.clone();
        running.push(tokio::spawn(async move { http.get(&web("/")).await }));
    }
    until("all seven at once", || waiting.load(Relaxed) == 7).await;
    release.notify_waiters();
    for request in running {
        assert_eq!(request.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_tunnel_that_nobody_uses_is_closed() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::raw(|mut raw| async move {
        raw.send("hi").await;
        raw.rest().await;
    }));
    let server = server.start().await;
    let client = mesh.pod("client").set("OUTBOUND_TCP_IDLE_TIMEOUT", "200ms");
    let client = client.start().await;
    let pair = Pair::of(mesh, server, client);
    pair.web.opaque();
    let mut raw = pair.client.tunnel(mesh_integration::WEB).await;
    raw.take(2).await;
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn a_server_that_does_not_accept_is_given_up_in_time() {
    let mesh = Mesh::start().await;
    let client = mesh.pod("client").set("OUTBOUND_CONNECT_TIMEOUT", "100ms");
    let client = client.start().await;
    // TLS never answers: something listens, but nobody accepts.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = mesh_integration::Endpoint::meshed(
        silent.local_addr().unwrap(),
        mesh_integration::ca::identity("web"),
    );
    let service = mesh.service(mesh_integration::WEB);
    service
        .queue(10, Duration::from_millis(300))
        .endpoints([endpoint]);
    let rsp = client.get(&web("/")).await;
    assert_eq!(rsp.status(), 503);
}

#[tokio::test]
async fn one_more_target_than_allowed_is_refused() {
    let mesh = Mesh::start().await;
    let server = mesh
        .pod("web")
        .app(app::http(|_| async { Response::new(empty()) }));
    let server = server.start().await;
    let client = mesh
        .pod("client")
        .set("OUTBOUND_MAX_TARGETS", 1)
        .start()
        .await;
    let pair = Pair::of(mesh, server, client);
    let mut http = pair.client.http1().await;
    assert_eq!(http.send(get(&web("/"))).await.status(), 200);
    let uri = format!("http://{}/", pair.server.app_addr());
    assert_eq!(pair.client.get(&uri).await.status(), 503);
}

/// Counts its drop.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[tokio::test]
async fn clients_that_leave_together_take_nobody_with_them() {
    let (came, left) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (coming, leaving) = (came.clone(), left.clone());
    let release = Arc::new(Notify::new());
    let released = release.clone();
    let pair = Pair::start(app::http(move |req| {
        coming.fetch_add(1, Relaxed);
        let (leaves, released) = (Counted(leaving.clone()), released.clone());
        async move {
            match req.uri().path() {
                "/stays" => released.notified().await,
                "/leaves" => pending().await,
                _ => {}
            }
            drop(leaves);
            Response::new(full("done"))
        }
    }))
    .await;
    // The proxies have one connection for all of them.
    assert_eq!(pair.client.get(&web("/")).await.status(), 200);
    let mut http = pair.client.http1().await;
    let stays = tokio::spawn(async move { http.get(&web("/stays")).await });
    let mut clients = JoinSet::new();
    for _ in 0..300 {
        let mut http = pair.client.http1().await;
        clients.spawn(async move { http.try_send(get(&web("/leaves"))).await });
    }
    until("the requests", || came.load(Relaxed) == 302).await;
    clients.shutdown().await;
    until("the ends of those that left", || left.load(Relaxed) >= 301).await;
    release.notify_one();
    assert_eq!(text(&stays.await.unwrap()), "done");
}

#[tokio::test]
async fn a_port_more_than_may_be_watched_is_refused() {
    let mesh = Mesh::start().await;
    // Its own port is the one.
    let server = mesh
        .pod("web")
        .app(app::says("hi"))
        .set("INBOUND_MAX_PORTS", 1)
        .start()
        .await;
    for (port, answer) in [(1, ""), (server.app_addr().port(), "HTTP/1.1 200")] {
        let peer = peer::Client::new(&mesh.ca, "peer");
        let io = peer.connect(server.inbound_addr(), server.identity()).await;
        let mut raw = Raw::new(io.unwrap());
        raw.send(peer::header(port, peer::Session::Http1)).await;
        raw.try_send("GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
            .await;
        let all = raw.rest().await;
        assert!(all.starts_with(answer) && all.is_empty() == answer.is_empty());
    }
    let refused = ["inbound_tcp_errors_total", "error=\"too many ports\""];
    assert_eq!(server.counted(&refused), 1.0);
}
