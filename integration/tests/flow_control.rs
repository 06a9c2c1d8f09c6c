//! Readers that stop: their senders stop too, and nobody else.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use futures::future::join_all;
use http::Response;
use mesh_integration::{
    Pair, app,
    body::{self, empty, full},
    client::{get, post, text},
    raw::Raw,
    wait::{soon, until},
    web,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::net::TcpSocket;

/// Bytes a sender gets rid of while nobody reads, over all buffers on the way.
const BOUND: usize = 16 << 20;

#[tokio::test]
async fn a_reader_that_stops_stops_the_sender() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let pair = Pair::start(app::http(move |_| {
        let count = count.clone();
        async move {
            let (mut tx, body) = body::channel();
            tokio::spawn(async move {
                while tx.data(vec![b'x'; 64 << 10]).await {
                    count.fetch_add(64 << 10, Relaxed);
                }
            });
            Response::new(body)
        }
    }))
    .await;
    let mut http = pair.client.http2().await;
    let rsp = http.send(get(&web("/"))).await;
    let still = settled(&sent).await;
    assert!(still < BOUND, "{still} bytes were taken");
    // It goes on as soon as it is read on.
    let mut body = rsp.into_body();
    let mut read = 0;
    while read < 2 * still + (1 << 20) {
        read += soon("data", body::next(&mut body))
            .await
            .unwrap()
            .unwrap()
            .len();
    }
}

#[tokio::test]
async fn an_application_that_stops_reading_stops_the_client() {
    let pair = Pair::start(app::http(|req| async move {
        let body = req.into_body();
        std::future::pending::<()>().await;
        drop(body);
        Response::new(empty())
    }))
    .await;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let (mut tx, body) = body::channel();
    tokio::spawn(async move {
        while tx.data(vec![b'x'; 64 << 10]).await {
            count.fetch_add(64 << 10, Relaxed);
        }
    });
    let mut http = pair.client.http2().await;
    let request = tokio::spawn(async move { http.try_send(post(&web("/"), body)).await });
    until("the first bytes", || sent.load(Relaxed) > 0).await;
    let still = settled(&sent).await;
    assert!(still < BOUND, "{still} bytes were taken");
    request.abort();
}

/// The value once it has stopped growing for a while.
async fn settled(count: &AtomicUsize) -> usize {
    let mut last = 0;
    let mut unchanged = 0;
    while last == 0 || unchanged < 6 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = count.load(Relaxed);
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
    }
    last
}

#[tokio::test]
async fn one_stalled_stream_holds_up_no_other() {
    let pair = Pair::start(app::http(|req| async move {
        if req.uri().path() != "/endless" {
            return Response::new(full("quick"));
        }
        let (mut tx, body) = body::channel();
        tokio::spawn(async move { while tx.data(vec![0; 64 << 10]).await {} });
        Response::new(body)
    }))
    .await;
    let mut http = pair.client.http2().await;
    let stalled = http.send(get(&web("/endless"))).await;
    for _ in 0..10 {
        let rsp = soon("the quick one", http.get(&web("/quick"))).await;
        assert_eq!(text(&rsp), "quick");
    }
    drop(stalled);
}

/// A client that asks for an endless answer and reads only its head.
async fn stalled(proxy: std::net::SocketAddr) -> Raw {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut raw = Raw::new(soon(proxy, socket.connect(proxy)).await.unwrap());
    let uri = web("/endless");
    raw.send(format!("GET {uri} HTTP/1.1\r\nhost: web\r\n\r\n"))
        .await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    raw
}

#[tokio::test]
async fn many_stalled_streams_hold_up_no_other() {
    let (sent, counted) = (Arc::new(AtomicUsize::new(0)), 64 << 10);
    let count = sent.clone();
    let pair = Pair::start(app::http(move |req| {
        let count = count.clone();
        async move {
            if req.uri().path() != "/endless" {
                return Response::new(full("quick"));
            }
            let (mut tx, body) = body::channel();
            tokio::spawn(async move {
                while tx.data(vec![0; counted]).await {
                    count.fetch_add(counted, Relaxed);
                }
            });
            Response::new(body)
        }
    }))
    .await;
    // All in one HTTP/2 connection between the proxies.
    let proxy = pair.client.outbound_addr();
    let stalled = join_all((0..40).map(|_| stalled(proxy))).await;
    settled(&sent).await;
    let rsp = soon("the quick one", pair.client.get(&web("/quick"))).await;
    assert_eq!(text(&rsp), "quick");
    drop(stalled);
}
