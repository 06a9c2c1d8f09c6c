//! What breaks off must not look complete.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use mesh_integration::{
    Application, Mesh, Pair, Raw, WEB, app,
    control::Policy,
    wait::{soon, until},
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::{io::AsyncReadExt, net::TcpStream, sync::Notify};

/// What the other side sends until its end, and how it ends.
async fn end(raw: Raw) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut io = raw.into_inner();
    let read = soon("the end", io.read_to_end(&mut all)).await;
    read.map(|_| all)
}

fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

/// Sends `head`, and breaks off when it is told to.
fn breaking_off(head: &'static str, now: &Arc<Notify>) -> Application {
    let now = now.clone();
    app::raw(move |mut raw| {
        let now = now.clone();
        async move {
            raw.head().await;
            raw.send(head).await;
            now.notified().await;
        }
    })
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n";

/// A client and a server; connections of the client are meant for the server's
/// address if they are `redirected`, and name no target then.
async fn pair(app: Application, redirected: bool) -> Pair {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app).start().await;
    let mut client = mesh.pod("client");
    if redirected {
        client = client.redirecting(server.app_addr());
        mesh.control.pod(server.endpoint());
    }
    let client = client.start().await;
    Pair::of(mesh, server, client)
}

#[tokio::test]
async fn a_broken_answer_is_a_reset_for_http_10() {
    for redirected in [false, true] {
        let now = Arc::new(Notify::new());
        let pair = pair(breaking_off(CHUNKED, &now), redirected).await;
        let mut raw = pair.client.raw().await;
        raw.send("GET http://web.shop.svc.cluster.local/ HTTP/1.0\r\n\r\n")
            .await;
        raw.until("part").await;
        now.notify_one();
        let error = end(raw).await.expect_err("it looks complete");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_with_its_head_is_a_502() {
    for (answer, expected) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
            "HTTP/1.1 502",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart",
            "HTTP/1.1 ",
        ),
        (CHUNKED, "HTTP/1.1 "),
    ] {
        for redirected in [false, true] {
            let pair = pair(
                app::raw(move |mut raw| async move {
                    raw.head().await;
                    raw.send(answer).await;
                }),
                redirected,
            )
            .await;
            let mut raw = pair.client.raw().await;
            let uri = mesh_integration::web("/");
            raw.send(format!(
                "GET {uri} HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n"
            ))
            .await;
            let all = raw.rest().await;
            assert!(all.starts_with(expected), "{answer:?}: {all:?}");
        }
    }
}

/// A connection of the client whose other end is the application.
async fn opaque(pair: &Pair, redirected: bool) -> Raw {
    pair.server
        .policy(&pair.mesh, Policy::all_unauthenticated().opaque());
    pair.web.opaque();
    pair.web.endpoints([pair.server.endpoint().opaque()]);
    if redirected {
        let mut raw = pair.client.raw().await;
        // Known as no HTTP at once.
        raw.send(b"\0").await;
        raw
    } else {
        let mut raw = pair.client.tunnel(WEB).await;
        raw.send(b"\0").await;
        raw
    }
}

#[tokio::test]
async fn a_reset_of_the_server_is_one_for_the_client() {
    for redirected in [false, true] {
        let app = app::connections(|mut stream| async move {
            stream.read_u8().await.unwrap();
            reset(stream);
        });
        let pair = pair(app, redirected).await;
        let raw = opaque(&pair, redirected).await;
        let error = end(raw).await.expect_err("it looks complete");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn a_reset_of_the_client_is_one_for_the_server() {
    for redirected in [false, true] {
        let (began, ended) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (begin, told) = (began.clone(), ended.clone());
        let app = app::connections(move |mut stream| {
            let (begin, told) = (begin.clone(), told.clone());
            async move {
                stream.read_u8().await.unwrap();
                begin.notify_one();
                let complete = stream.read_to_end(&mut Vec::new()).await.is_ok();
                told.store(if complete { 1 } else { 2 }, Relaxed);
            }
        });
        let pair = pair(app, redirected).await;
        let raw = opaque(&pair, redirected).await;
        soon("the first byte", began.notified()).await;
        reset(raw.into_inner());
        until("the end", || ended.load(Relaxed) != 0).await;
        assert_eq!(ended.load(Relaxed), 2, "it looks complete");
    }
}
