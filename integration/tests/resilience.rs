//! The control plane goes away, certificates rotate, proxies stop: nobody notices.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use http::Response;
use mesh_integration::{
    Load, Mesh, Pair, WEB, app,
    body::{self, full},
    client::{get, text, whole},
    wait::{eventually, soon, until},
    web,
};
use mesh_proxy::drain::Drained;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Notify;

#[tokio::test]
async fn a_control_plane_that_dies_and_returns_fails_no_request() {
    let pair = Pair::start(app::says("hi")).await;
    let load = Load::start(&pair.client).await;
    load.more(50).await;
    for _ in 0..3 {
        pair.mesh.control.kill().await;
        load.keep_on(Duration::from_millis(200)).await;
        let before = pair.mesh.control.connections();
        pair.mesh.control.restart().await;
        // Both proxies come back, and their first new answers fail nothing.
        until("reconnects", || {
            pair.mesh.control.connections() >= before + 2
        })
        .await;
        load.more(50).await;
    }
    load.stop().await;
}

#[tokio::test]
async fn what_was_known_stays_known_while_the_control_plane_is_away() {
    let pair = Pair::start(app::says("hi")).await;
    assert_eq!(pair.client.get(&web("/")).await.status(), 200);
    pair.mesh.control.kill().await;
    // A new connection, a known target.
    for _ in 0..3 {
        assert_eq!(pair.client.get(&web("/")).await.status(), 200);
    }
}

#[tokio::test]
async fn an_address_never_heard_of_is_reached_while_the_control_plane_is_away() {
    let pair = Pair::start(app::says("hi")).await;
    pair.mesh.control.kill().await;
    let uri = format!("http://{}/", pair.server.app_addr());
    assert_eq!(pair.client.get(&uri).await.status(), 200);
}

#[tokio::test]
async fn what_changed_meanwhile_is_known_after_the_control_plane_returns() {
    let mesh = Mesh::start().await;
    let old = mesh.pod("web").app(app::says("old")).start().await;
    let new = mesh.pod("web").app(app::says("new")).start().await;
    let client = mesh.pod("client").start().await;
    let service = mesh.service(WEB);
    service.endpoints([old.endpoint()]);
    assert_eq!(text(&client.get(&web("/")).await), "old");
    mesh.control.kill().await;
    service.endpoints([new.endpoint()]);
    assert_eq!(text(&client.get(&web("/")).await), "old");
    mesh.control.restart().await;
    eventually("the new endpoint", async || {
        (text(&client.get(&web("/")).await) == "new").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_starts_without_a_control_plane_serves_when_it_comes() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::says("hi")).start().await;
    mesh.service(WEB).endpoints([server.endpoint()]);
    mesh.control.kill().await;
    let (client, ()) = tokio::join!(mesh.pod("client").start(), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        mesh.control.restart().await;
    });
    assert_eq!(client.get(&web("/")).await.status(), 200);
}

#[tokio::test]
async fn certificates_rotate_under_traffic() {
    let mesh = Mesh::builder()
        .certificate_life(Duration::from_secs(2))
        .start()
        .await;
    let ids = Arc::new(AtomicUsize::new(0));
    let count = ids.clone();
    let app = app::http(move |req| {
        count.fetch_add(
            usize::from(req.headers().contains_key("l5d-client-id")),
            Relaxed,
        );
        async {
            // Each answer ends its connection, so that there are new handshakes.
            Response::builder()
                .header("connection", "close")
                .body(full("hi"))
                .unwrap()
        }
    });
    let server = mesh.pod("web").app(app).start().await;
    let client = mesh.pod("client").start().await;
    let pair = Pair::of(mesh, server, client);
    let load = Load::start(&pair.client).await;
    // Longer than a certificate lives; an expired one would fail every handshake.
    for _ in 0..5 {
        load.keep_on(Duration::from_millis(500)).await;
        // A new endpoint object, and with it a new connection.
        pair.web.endpoints([pair.server.endpoint().without_h2()]);
        load.more(20).await;
        pair.web.endpoints([pair.server.endpoint()]);
    }
    load.stop().await;
    assert!(ids.load(Relaxed) > 100);
}

#[tokio::test]
async fn a_server_that_drains_finishes_what_it_has_and_fails_nothing() {
    let mesh = Mesh::start().await;
    let mut one = mesh.pod("web").app(app::says("one")).start().await;
    let two = mesh.pod("web").app(app::says("two")).start().await;
    let client = mesh.pod("client").start().await;
    let service = mesh.service(WEB);
    service.endpoints([one.endpoint(), two.endpoint()]);
    let load = Load::start(&client).await;
    load.more(50).await;
    one.stop();
    load.more(20).await;
    service.remove(one.app_addr());
    load.more(50).await;
    assert_eq!(one.stopped().await, Drained::Complete);
    load.stop().await;
}

#[tokio::test]
async fn requests_in_flight_end_before_the_proxy_does() {
    let release = Arc::new(Notify::new());
    let (released, begun) = (release.clone(), Arc::new(AtomicUsize::new(0)));
    let begin = begun.clone();
    let mut pair = Pair::start(app::http(move |_| {
        let released = released.clone();
        begin.fetch_add(1, Relaxed);
        async move {
            released.notified().await;
            Response::new(full("late"))
        }
    }))
    .await;
    let (mut http1, mut http2) = (pair.client.http1().await, pair.client.http2().await);
    let one = tokio::spawn(async move { whole(http1.send(get(&web("/"))).await).await });
    let two = tokio::spawn(async move { whole(http2.send(get(&web("/"))).await).await });
    until("both requests", || begun.load(Relaxed) == 2).await;
    let addrs = [pair.client.outbound_addr(), pair.server.inbound_addr()];
    pair.client.stop();
    pair.server.stop();
    for addr in addrs {
        eventually("the drain", async || {
            tokio::net::TcpStream::connect(addr).await.err()
        })
        .await;
    }
    release.notify_waiters();
    let rsp = one.await.unwrap();
    assert_eq!(
        (text(&rsp), rsp.headers().get("connection").unwrap()),
        ("late", &"close".parse().unwrap())
    );
    assert_eq!(text(&two.await.unwrap()), "late");
    assert_eq!(pair.client.stopped().await, Drained::Complete);
    assert_eq!(pair.server.stopped().await, Drained::Complete);
}

#[tokio::test]
async fn an_answer_that_is_being_sent_ends_before_the_proxy_does() {
    let (tx, body) = body::channel();
    let body = parking_lot::Mutex::new(Some(body));
    let mut pair = Pair::start(app::http(move |_| {
        let body = body.lock().take().unwrap();
        async { Response::new(body) }
    }))
    .await;
    let mut tx = tx;
    let mut http = pair.client.http1().await;
    let mut rsp = http.send(get(&web("/"))).await.into_body();
    tx.data("first ").await;
    assert_eq!(body::next(&mut rsp).await.unwrap().unwrap(), "first ");
    pair.client.stop();
    pair.server.stop();
    tx.data("last").await;
    assert_eq!(
        soon("the rest", body::next(&mut rsp))
            .await
            .unwrap()
            .unwrap(),
        "last"
    );
    drop(tx);
    assert_eq!(soon("the end", body::next(&mut rsp)).await.unwrap(), None);
    assert_eq!(pair.client.stopped().await, Drained::Complete);
    assert_eq!(pair.server.stopped().await, Drained::Complete);
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_a_stop() {
    let mut pair = Pair::start(app::says("hi")).await;
    let (mut http1, mut http2) = (pair.client.http1().await, pair.client.http2().await);
    http1.get(&web("/")).await;
    http2.get(&web("/")).await;
    pair.client.stop();
    assert_eq!(pair.client.stopped().await, Drained::Complete);
    pair.server.stop();
    assert_eq!(pair.server.stopped().await, Drained::Complete);
    until("the clients to be told", || {
        http1.is_closed() && http2.is_closed()
    })
    .await;
}

#[tokio::test]
async fn what_does_not_end_is_closed_after_the_grace_period() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::raw(|mut raw| async move {
        raw.send("hi").await;
        raw.rest().await;
    }));
    let server = server.start().await;
    let client = mesh
        .pod("client")
        .set("SHUTDOWN_GRACE_PERIOD", "100ms")
        .start()
        .await;
    let mut pair = Pair::of(mesh, server, client);
    pair.web.opaque();
    let mut raw = pair.client.tunnel(WEB).await;
    raw.take(2).await;
    pair.client.stop();
    assert!(matches!(
        pair.client.stopped().await,
        Drained::Forced { .. }
    ));
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn a_proxy_that_drains_accepts_nothing_new() {
    let mut pair = Pair::start(app::says("hi")).await;
    let addr = pair.client.outbound_addr();
    pair.client.stop();
    pair.client.stopped().await;
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn an_upgraded_connection_is_closed_after_the_grace_period() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::raw(|mut raw| async move {
        raw.head().await;
        raw.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\nhi",
        )
        .await;
        raw.rest().await;
    }));
    let server = server.start().await;
    let client = mesh
        .pod("client")
        .set("SHUTDOWN_GRACE_PERIOD", "100ms")
        .start()
        .await;
    let mut pair = Pair::of(mesh, server, client);
    let mut raw = pair.client.raw().await;
    let uri = web("/");
    raw.send(format!(
        "GET {uri} HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n"
    ))
    .await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101"));
    assert_eq!(raw.take(2).await, b"hi");
    pair.client.stop();
    assert!(matches!(
        pair.client.stopped().await,
        Drained::Forced { .. }
    ));
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn a_certificate_is_renewed_during_a_drain_too() {
    let mesh = Mesh::builder()
        .certificate_life(Duration::from_secs(2))
        .start()
        .await;
    let server = mesh.pod("web").app(app::raw(|mut raw| async move {
        raw.send("hi").await;
        raw.rest().await;
    }));
    let server = server.start().await;
    let client = mesh.pod("client").start().await;
    let mut pair = Pair::of(mesh, server, client);
    pair.web.opaque();
    let mut raw = pair.client.tunnel(WEB).await;
    raw.take(2).await;
    pair.client.stop();
    let addr = pair.client.outbound_addr();
    eventually("the drain", async || {
        tokio::net::TcpStream::connect(addr).await.err()
    })
    .await;
    let renewed = || {
        pair.client
            .counted(&["control_identity_cert_refreshes_total"])
    };
    let before = renewed();
    until("a new certificate", || renewed() > before).await;
}

#[tokio::test]
async fn an_address_that_refuses_is_a_502_at_once() {
    let mesh = Mesh::start().await;
    let client = mesh.pod("client").start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let start = tokio::time::Instant::now();
    for _ in 0..2 {
        let rsp = client.get(&format!("http://{addr}/")).await;
        let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
        assert_eq!(rsp.status(), 502, "{error}");
        assert!(error.contains("refused"), "{error}");
        assert!(error.contains("stage=connect"), "{error}");
    }
    // It comes back as soon as somebody listens.
    let listener = tokio::net::TcpListener::bind(addr).await.unwrap();
    let _serving = tokio::spawn(app::says("hi")(listener));
    assert_eq!(client.get(&format!("http://{addr}/")).await.status(), 200);
    // Fail-fast would have taken three seconds.
    assert!(start.elapsed() < Duration::from_secs(2));
}
