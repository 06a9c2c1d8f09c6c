//! HTTP/2 servers that say goodbye fail no request.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use bytes::Bytes;
use futures::future::join_all;
use http::Response;
use mesh_integration::{
    Endpoint, Pair, app,
    body::full,
    client::{get, post, text, whole},
    raw::Raw,
    web,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_goaway_of_the_application_fails_no_request() {
    // Each connection serves ten requests and says goodbye.
    let app = app::connections(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut served = 0;
        while let Some(Ok((_, mut rsp))) = connection.accept().await {
            rsp.send_response(Response::new(()), true).unwrap();
            served += 1;
            if served == 10 {
                connection.graceful_shutdown();
            }
        }
    });
    let pair = Pair::start(app).await;
    let http = pair.client.http2().await;
    let clients = (0..4).map(|_| {
        let mut http = http.clone();
        async move {
            for _ in 0..50 {
                assert_eq!(http.get(&web("/")).await.status(), 200);
            }
        }
    });
    join_all(clients).await;
}

#[tokio::test]
async fn a_goaway_beside_an_open_stream_fails_no_request() {
    // The first stream of a connection stays open; the second is answered with a
    // goodbye, which the proxy has no reason to look for.
    let app = app::connections(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut held = Vec::new();
        while let Some(Ok((req, mut rsp))) = connection.accept().await {
            let is_long = req.uri().path() == "/long";
            let body = rsp.send_response(Response::new(()), !is_long).unwrap();
            if is_long {
                held.push(body);
            } else {
                connection.graceful_shutdown();
            }
        }
    });
    let pair = Pair::start(app).await;
    let mut http = pair.client.http2().await;
    for round in 0..10 {
        let long = http.send(get(&web("/long"))).await;
        for _ in 0..2 {
            let rsp = http.get(&web("/")).await;
            assert_eq!(rsp.status(), 200, "{round}: {}", text(&rsp));
        }
        drop(long);
    }
}

/// An application whose first connection says, once a request has come in full,
/// that it has seen none: what a server that stops says of a request which was on
/// its way. The others echo.
fn leaves_once() -> mesh_integration::Application {
    let first = Arc::new(AtomicBool::new(true));
    app::connections(move |stream| {
        let first = first.swap(false, Relaxed);
        async move {
            if first {
                leave(stream).await;
            } else {
                echo(stream).await;
            }
        }
    })
}

async fn leave(stream: TcpStream) {
    const PREFACE: usize = 24;
    const HEADER: usize = 9;
    const END_STREAM: u8 = 1;
    let mut raw = Raw::new(stream);
    raw.take(PREFACE).await;
    raw.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    loop {
        let header = raw.take(HEADER).await;
        let len = usize::from(header[1]) << 8 | usize::from(header[2]);
        raw.take(len).await;
        // The last DATA or HEADERS of the request.
        if header[3] <= 1 && header[4] & END_STREAM != 0 {
            break;
        }
    }
    // GOAWAY, last stream 0, NO_ERROR.
    raw.send([[0, 0, 8, 7, 0, 0, 0, 0, 0].as_slice(), &[0; 8]].concat())
        .await;
    raw.rest().await;
}

async fn echo(stream: TcpStream) {
    answer(stream, false).await;
}

/// Echoes, but refuses the first stream of the connection if told so.
async fn answer(stream: TcpStream, mut refuses: bool) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((req, mut rsp))) = connection.accept().await {
        if std::mem::take(&mut refuses) {
            rsp.send_reset(h2::Reason::REFUSED_STREAM);
            continue;
        }
        tokio::spawn(async move {
            let mut body = req.into_body();
            let mut tx = rsp.send_response(Response::new(()), false).unwrap();
            while let Some(Ok(data)) = body.data().await {
                tx.send_data(data, false).unwrap();
            }
            tx.send_data(Bytes::new(), true).unwrap();
        });
    }
}

#[tokio::test]
async fn a_request_that_a_stopping_server_has_not_seen_goes_to_its_next_connection() {
    for behind_its_proxy in [true, false] {
        let pair = Pair::start(leaves_once()).await;
        if !behind_its_proxy {
            pair.web
                .endpoints([Endpoint::plain(pair.server.app_addr())]);
        }
        let mut http = pair.client.http2().await;
        let rsp = whole(http.send(post(&web("/"), full("all of it"))).await).await;
        assert_eq!((rsp.status().as_u16(), text(&rsp)), (200, "all of it"));
    }
}

#[tokio::test]
async fn a_refused_stream_is_tried_again_until_failfast() {
    for (always, status) in [(false, 200), (true, 503)] {
        let first = AtomicBool::new(true);
        let pair = Pair::start(app::connections(move |stream| {
            let refuses = first.swap(false, Relaxed) || always;
            answer(stream, refuses)
        }))
        .await;
        let mut http = pair.client.http2().await;
        let rsp = whole(http.send(post(&web("/"), full("once"))).await).await;
        assert_eq!(rsp.status().as_u16(), status, "{}", text(&rsp));
    }
}
