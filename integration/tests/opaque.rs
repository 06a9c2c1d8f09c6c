//! Opaque bytes through two proxies, and through one with a stock peer behind.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use mesh_integration::{
    Application, Mesh, Pair, Raw, WEB, app,
    control::Policy,
    peer::{self, Session},
    wait::eventually,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// A client and a server whose port is opaque on both sides.
async fn opaque_pair(app: Application) -> Pair {
    let pair = Pair::start(app).await;
    pair.server
        .policy(&pair.mesh, Policy::all_unauthenticated().opaque());
    pair.web.opaque();
    pair.web.endpoints([pair.server.endpoint().opaque()]);
    pair
}

/// Echoes what it gets; after its end, says goodbye.
fn echo_then_bye() -> Application {
    app::raw(|mut raw| async move {
        let all = raw.rest().await;
        raw.send(all).await;
        raw.send("bye").await;
        raw.finish().await;
    })
}

#[tokio::test]
async fn the_client_may_finish_first() {
    let pair = opaque_pair(echo_then_bye()).await;
    let mut raw = pair.client.tunnel(WEB).await;
    raw.send("hello ").await;
    raw.finish().await;
    assert_eq!(raw.rest().await, "hello bye");
}

#[tokio::test]
async fn the_server_may_finish_first() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let pair = opaque_pair(app::raw(move |mut raw| {
        let told = told.clone();
        async move {
            raw.send("done").await;
            raw.finish().await;
            told.send(raw.rest().await).unwrap();
        }
    }))
    .await;
    let mut raw = pair.client.tunnel(WEB).await;
    assert_eq!(raw.rest().await, "done");
    raw.send("still here").await;
    raw.finish().await;
    let rest = mesh_integration::wait::soon("the rest", heard.recv()).await;
    assert_eq!(rest.unwrap(), "still here");
}

#[tokio::test]
async fn a_server_that_speaks_first_is_waited_for_by_nobody() {
    let pair = opaque_pair(app::raw(|mut raw| async move {
        raw.send("220 ready\r\n").await;
        let line = raw.until("\r\n").await;
        raw.send(format!("250 {line}")).await;
    }))
    .await;
    let start = tokio::time::Instant::now();
    let mut raw = pair.client.tunnel(WEB).await;
    assert_eq!(raw.until("\r\n").await, "220 ready\r\n");
    raw.send("HELO\r\n").await;
    assert_eq!(raw.until("\r\n").await, "250 HELO\r\n");
    // Detection would have waited three seconds on either side.
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn bytes_that_are_no_http_are_detected_and_passed() {
    let pair = Pair::start(echo_then_bye()).await;
    let mut raw = pair.client.tunnel(WEB).await;
    raw.send(b"\x00\x01binary\r\n\r\n").await;
    raw.finish().await;
    assert_eq!(raw.rest().await, "\u{0}\u{1}binary\r\n\r\nbye");
}

#[tokio::test]
async fn a_silent_client_is_opaque_after_the_detection_timeout() {
    let pair = Pair::start(app::raw(|mut raw| async move {
        raw.send("220 ready\r\n").await;
        raw.rest().await;
    }))
    .await;
    let short = Duration::from_millis(100);
    let policy = Policy::all_unauthenticated().detecting_within(short);
    pair.server.policy(&pair.mesh, policy);
    pair.web.detect_timeout(short);
    let mut raw = pair.client.tunnel(WEB).await;
    assert_eq!(raw.until("\r\n").await, "220 ready\r\n");
}

#[tokio::test]
async fn http_in_a_tunnel_is_detected_on_both_sides() {
    let pair = Pair::start(app::reflect()).await;
    let mut raw = pair.client.tunnel(WEB).await;
    raw.send("GET /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        .await;
    let answer = raw.rest().await;
    assert!(
        answer.contains("GET /x HTTP/1.1\nhost: h\nl5d-client-id: client."),
        "{answer}"
    );
}

#[tokio::test]
async fn a_reader_that_stops_stops_the_sender() {
    let pair = opaque_pair(app::raw(|raw| async move {
        std::future::pending::<()>().await;
        drop(raw);
    }))
    .await;
    let mut raw = pair.client.tunnel(WEB).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let sending = tokio::spawn(async move {
        while raw.try_send([b'x'; 64 << 10]).await {
            count.fetch_add(64 << 10, Relaxed);
        }
    });
    let mut before = usize::MAX;
    while before != sent.load(Relaxed) {
        before = sent.load(Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Socket buffers of three connections, and 64 KiB in each proxy.
    assert!(before < 64 << 20, "{before} bytes were taken");
    sending.abort();
}

#[tokio::test]
async fn megabytes_pass_whole() {
    let pair = opaque_pair(app::raw(|mut raw| async move {
        let all = raw.rest().await;
        raw.send(all).await;
        raw.finish().await;
    }))
    .await;
    let raw = pair.client.tunnel(WEB).await;
    let (reader, mut writer) = tokio::io::split(raw.into_inner());
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i % 127) as u8).collect();
    let sent = data.clone();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut reader = Raw::new(tokio::io::join(reader, tokio::io::sink()));
    assert!(reader.rest().await.as_bytes() == data);
}

#[tokio::test]
async fn the_transport_header_is_on_the_wire_as_linkerd_writes_it() {
    let mesh = Mesh::start().await;
    let server = peer::Server::new(&mesh.ca, "web", true).await;
    let client = mesh.pod("client").start().await;
    let service = mesh.service(WEB);
    service.opaque().endpoints([server.endpoint(5432).opaque()]);
    let mut raw = client.tunnel(WEB).await;
    let mut accepted = server.accept().await;
    assert_eq!(accepted.sni.as_deref(), Some(server.identity()));
    assert_eq!(accepted.alpn.as_deref(), Some(peer::TRANSPORT));
    assert!(accepted.is_from(client.identity()));
    accepted
        .expect(b"transport.l5d.io/v1\r\n\r\n\x00\x00\x00\x03\x08\xb8\x2a")
        .await;
    raw.send("ping").await;
    accepted.expect(b"ping").await;
    accepted.send(b"pong").await;
    assert_eq!(raw.take(4).await, b"pong");
}

#[tokio::test]
async fn a_stock_peers_transport_header_leads_to_the_port_it_names() {
    let mesh = Mesh::start().await;
    let web = mesh.pod("web").app(echo_then_bye()).start().await;
    let peer = peer::Client::new(&mesh.ca, "peer");
    let io = peer
        .connect(web.inbound_addr(), web.identity())
        .await
        .unwrap();
    let mut raw = Raw::new(io);
    raw.send(peer::header(web.app_addr().port(), Session::Opaque))
        .await;
    // Looks like HTTP, but nothing was said of it: opaque, and not looked at.
    raw.send("GET / HTTP/1.1\r\n\r\n").await;
    raw.finish().await;
    assert_eq!(raw.rest().await, "GET / HTTP/1.1\r\n\r\nbye");
}

/// Speaks first.
fn greeting() -> Application {
    app::raw(|mut raw| async move {
        raw.send("hi, I am first").await;
        raw.rest().await;
    })
}

#[tokio::test]
async fn a_redirected_connection_to_an_opaque_port_goes_to_its_service() {
    let cluster_ip: SocketAddr = "10.43.0.9:5432".parse().unwrap();
    let mesh = Mesh::start().await;
    let server = mesh.pod("db").app(greeting()).start().await;
    let client = mesh.pod("client").redirecting(cluster_ip).start().await;
    let service = mesh.service("db.shop.svc.cluster.local:5432");
    service.opaque().endpoints([server.endpoint().opaque()]);
    mesh.control.address(cluster_ip, &service);
    assert_eq!(client.raw().await.take(14).await, b"hi, I am first");
}

#[tokio::test]
async fn an_unmeshed_client_of_an_opaque_port_is_waited_for_by_nobody() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("db").app(greeting()).intercepting().start().await;
    server.policy(&mesh, Policy::all_unauthenticated().opaque());
    eventually(
        "the policy, without which first bytes are waited for",
        async || {
            let mut raw = Raw::connect(server.inbound_addr()).await;
            let silent = raw.is_silent(Duration::from_millis(300)).await;
            (!silent).then_some(raw)
        },
    )
    .await
    .until("hi, I am first")
    .await;
}

#[tokio::test]
async fn a_tunnel_to_what_refuses_is_closed_not_left_open() {
    let mut pair = opaque_pair(echo_then_bye()).await;
    pair.server.kill_app().await;
    let mut raw = pair.client.tunnel(WEB).await;
    assert_eq!(raw.rest().await, "");
}
