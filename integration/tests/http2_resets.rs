//! HTTP/2 streams that are reset, by either side.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use mesh_integration::{
    Pair, app,
    body::{self, empty},
    client::{get, post},
    wait::{soon, until},
    web,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};
use tokio::{net::TcpStream, sync::Notify};

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
    // A reset throws away what is queued, so it comes when that is there.
    let arrived = Arc::new(Notify::new());
    let received = arrived.clone();
    let pair = Pair::start(h2_app(move |_, mut rsp| {
        let arrived = arrived.clone();
        async move {
            let mut body = rsp.send_response(Response::new(()), false).unwrap();
            body.send_data("part".into(), false).unwrap();
            arrived.notified().await;
            body.send_reset(h2::Reason::INTERNAL_ERROR);
        }
    }))
    .await;
    let mut send = h2(pair.client.outbound_addr()).await;
    let (rsp, _) = send.send_request(h2_get("/"), true).unwrap();
    let mut body = soon("the head", rsp).await.unwrap().into_body();
    let mut end = soon("data", body.data()).await.unwrap();
    assert_eq!(end.unwrap(), "part");
    received.notify_one();
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
    for pod in [&pair.client, &pair.server] {
        until("the count", || {
            pod.counted(&["response_total", "error=\"canceled\""]) == 1.0
        })
        .await;
    }
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
