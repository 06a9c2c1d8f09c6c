//! HTTP/2 through two proxies: streams, trailers, resets, flow control.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use bytes::Bytes;
use futures::future::join_all;
use http::{Request, Response};
use http_body_util::BodyExt;
use mesh_integration::{
    Endpoint, Pair, app,
    body::{self, empty, full},
    client::{get, post, text, whole},
    raw::Raw,
    wait::{soon, until},
    web,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let pair = Pair::start(app::reflect()).await;
    let rsp = pair.client.http2().await.get(&web("/hello?x=1")).await;
    assert_eq!(rsp.version(), http::Version::HTTP_2);
    assert_eq!(
        text(&rsp),
        "GET http://web.shop.svc.cluster.local/hello?x=1 HTTP/2.0\n\
         l5d-client-id: client.shop.serviceaccount.identity.mesh.cluster.local\n"
    );
}

#[tokio::test]
async fn frames_are_passed_on_as_they_come_both_ways() {
    let pair = Pair::start(app::echo()).await;
    let (mut tx, body) = body::channel();
    let mut http = pair.client.http2().await;
    let mut echoed = http.send(post(&web("/"), body)).await.into_body();
    for piece in ["one", "two", "three"] {
        tx.data(piece).await;
        let back = soon(piece, body::next(&mut echoed)).await.unwrap();
        assert_eq!(back.unwrap(), piece);
    }
    tx.trailers(&[("x-end", "1")]).await;
    let end = soon("trailers", echoed.frame()).await.unwrap().unwrap();
    assert_eq!(end.into_trailers().unwrap()["x-end"], "1");
}

#[tokio::test]
async fn many_streams_share_a_connection() {
    let pair = Pair::start(app::http(|req| async move {
        Response::new(full(req.uri().path().to_owned()))
    }))
    .await;
    let mut http = pair.client.http2().await;
    // Before its endpoints are known, no more than the service's queue may wait.
    http.get(&web("/")).await;
    let requests = (0..300).map(|i| {
        let mut http = http.clone();
        async move {
            let rsp = http.get(&web(&format!("/{i}"))).await;
            assert_eq!(text(&rsp), format!("/{i}"));
        }
    });
    join_all(requests).await;
}

/// An h2 connection, for what hyper hides.
async fn h2(addr: std::net::SocketAddr) -> h2::client::SendRequest<Bytes> {
    let io = TcpStream::connect(addr).await.unwrap();
    let (send, connection) = h2::client::handshake(io).await.unwrap();
    tokio::spawn(connection);
    send.ready().await.unwrap()
}

/// An application that speaks h2 itself and hands each request to `handler`.
fn h2_app<F, Fut>(handler: F) -> mesh_integration::Application
where
    F: Fn(Request<h2::RecvStream>, h2::server::SendResponse<Bytes>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let handler = Arc::new(handler);
    app::connections(move |stream| {
        let handler = handler.clone();
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((req, rsp))) = connection.accept().await {
                tokio::spawn(handler(req, rsp));
            }
        }
    })
}

fn h2_get(path: &str) -> Request<()> {
    Request::get(web(path)).body(()).unwrap()
}

#[tokio::test]
async fn a_reset_of_the_server_reaches_the_client_with_its_reason() {
    let pair = Pair::start(h2_app(|_, mut rsp| async move {
        rsp.send_reset(h2::Reason::ENHANCE_YOUR_CALM);
    }))
    .await;
    let mut send = h2(pair.client.outbound_addr()).await;
    let (rsp, _) = send.send_request(h2_get("/"), true).unwrap();
    let error = soon("the reset", rsp).await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM));
    assert!(error.is_reset());
}

#[tokio::test]
async fn a_reset_in_the_middle_of_the_answer_reaches_the_client() {
    let pair = Pair::start(h2_app(|_, mut rsp| async move {
        let mut body = rsp.send_response(Response::new(()), false).unwrap();
        body.send_data("part".into(), false).unwrap();
        // Sent first: a reset throws away what is queued.
        tokio::time::sleep(Duration::from_millis(50)).await;
        body.send_reset(h2::Reason::INTERNAL_ERROR);
    }))
    .await;
    let mut send = h2(pair.client.outbound_addr()).await;
    let (rsp, _) = send.send_request(h2_get("/"), true).unwrap();
    let mut body = soon("the head", rsp).await.unwrap().into_body();
    let mut end = soon("data", body.data()).await.unwrap();
    assert_eq!(end.unwrap(), "part");
    end = soon("the reset", body.data()).await.expect("no clean end");
    assert_eq!(end.unwrap_err().reason(), Some(h2::Reason::INTERNAL_ERROR));
}

#[tokio::test]
async fn a_reset_is_an_error_for_http1_and_no_bare_close() {
    let pair = Pair::start(h2_app(|_, mut rsp| async move {
        rsp.send_reset(h2::Reason::INTERNAL_ERROR);
    }))
    .await;
    // The server's proxy meets an application that breaks what was HTTP/1.
    let rsp = pair.client.get(&web("/")).await;
    assert_eq!(rsp.status(), 502);
    assert!(rsp.headers().contains_key("l5d-proxy-error"));
}

#[tokio::test]
async fn a_reset_of_the_client_releases_the_application() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let seen = cancelled.clone();
    let pair = Pair::start(h2_app(move |_, mut rsp| {
        let seen = seen.clone();
        async move {
            let mut body = rsp.send_response(Response::new(()), false).unwrap();
            let reason = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
            assert_eq!(reason.unwrap(), h2::Reason::CANCEL);
            seen.store(true, Relaxed);
        }
    }))
    .await;
    let mut send = h2(pair.client.outbound_addr()).await;
    let (rsp, mut body) = send.send_request(h2_get("/"), false).unwrap();
    let rsp = soon("the head", rsp).await.unwrap();
    body.send_reset(h2::Reason::CANCEL);
    drop(rsp);
    until("the reset", || cancelled.load(Relaxed)).await;
}

#[tokio::test]
async fn a_cancelled_request_releases_an_application_that_has_not_answered() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(AtomicBool::new(false));
    let (seen, begin) = (cancelled.clone(), begun.clone());
    let pair = Pair::start(h2_app(move |_, mut rsp| {
        let (seen, begin) = (seen.clone(), begin.clone());
        async move {
            begin.store(true, Relaxed);
            let _reason = std::future::poll_fn(|cx| rsp.poll_reset(cx)).await;
            seen.store(true, Relaxed);
        }
    }))
    .await;
    let mut http = pair.client.http2().await;
    let request = tokio::spawn(async move { http.try_send(get(&web("/"))).await });
    until("the request", || begun.load(Relaxed)).await;
    request.abort();
    until("the reset", || cancelled.load(Relaxed)).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_complete_request() {
    let (begun, outcome) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (begin, seen) = (begun.clone(), outcome.clone());
    let pair = Pair::start(app::http(move |req| {
        let (begin, seen) = (begin.clone(), seen.clone());
        async move {
            let mut body = req.into_body();
            assert_eq!(body::next(&mut body).await.unwrap().unwrap(), "part");
            begin.store(true, Relaxed);
            let failed = body.collect().await.is_err();
            seen.store(if failed { 1 } else { 2 }, Relaxed);
            Response::new(empty())
        }
    }))
    .await;
    let (mut tx, body) = body::channel();
    let mut http = pair.client.http2().await;
    let request = tokio::spawn(async move { http.try_send(post(&web("/"), body)).await });
    tx.data("part").await;
    until("the beginning", || begun.load(Relaxed)).await;
    tx.fail().await;
    until("the end of the body", || outcome.load(Relaxed) != 0).await;
    assert_eq!(outcome.load(Relaxed), 1, "taken for complete");
    request.abort();
}

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

#[tokio::test]
async fn a_head_response_has_no_body_but_its_length() {
    let pair = Pair::start(app::http(|_| async {
        Response::builder()
            .header("content-length", "154")
            .body(empty())
            .unwrap()
    }))
    .await;
    let mut http = pair.client.http2().await;
    let req = mesh_integration::client::request("HEAD", &web("/"), empty());
    let rsp = whole(http.send(req).await).await;
    assert_eq!(rsp.headers()["content-length"], "154");
    assert!(rsp.body().is_empty());
}
