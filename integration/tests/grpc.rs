//! gRPC through two proxies: the four kinds of calls, and errors of the proxies.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, BodyStream};
use hyper::body::Incoming;
use mesh_integration::{
    Application, Pair, WEB, app,
    body::{self, TestBody, empty, full},
    control::Policy,
    wait::{eventually, soon},
    web,
};
use std::time::Duration;

/// A gRPC message: a flag, a length, the bytes.
fn message(text: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(text.len() as u32);
    bytes.put_slice(text.as_bytes());
    bytes.freeze()
}

fn call(method: &str, body: TestBody) -> Request<TestBody> {
    Request::post(web(&format!("/shop.Web/{method}")))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap()
}

/// What a gRPC server does, with hyper alone: `Once` answers with one message,
/// `Each` with one for each of the client's as they come, `Many` with three;
/// `Fail` with a status alone.
fn server() -> Application {
    app::http(|req| async move {
        assert_eq!(req.headers()["te"], "trailers");
        let method = req.uri().path().rsplit('/').next().unwrap().to_owned();
        let rsp = Response::builder().header("content-type", "application/grpc");
        if method == "Fail" {
            let rsp = rsp
                .header("grpc-status", "5")
                .header("grpc-message", "none such");
            return rsp.body(empty()).unwrap();
        }
        let (tx, body) = body::channel();
        tokio::spawn(respond(method, req.into_body(), tx));
        rsp.body(body).unwrap()
    })
}

async fn respond(method: String, body: Incoming, mut tx: body::Sender) {
    match &*method {
        "Once" => {
            let all = body.collect().await.unwrap().to_bytes();
            tx.data(all).await;
        }
        "Each" => {
            let mut frames = BodyStream::new(body);
            while let Some(Ok(frame)) = frames.next().await {
                if let Ok(data) = frame.into_data() {
                    tx.data(data).await;
                }
            }
        }
        _ => {
            for text in ["one", "two", "three"] {
                tx.data(message(text)).await;
            }
        }
    }
    tx.trailers(&[("grpc-status", "0"), ("grpc-message", "fine")])
        .await;
}

async fn finish(rsp: Response<Incoming>) -> (Bytes, HeaderMap) {
    let all = soon("the answer", rsp.into_body().collect()).await.unwrap();
    let trailers = all.trailers().cloned().unwrap_or_default();
    (all.to_bytes(), trailers)
}

#[tokio::test]
async fn a_unary_call() {
    let pair = Pair::start(server()).await;
    let mut http = pair.client.http2().await;
    let rsp = http.send(call("Once", full(message("hello")))).await;
    assert_eq!(rsp.headers()["content-type"], "application/grpc");
    let (body, trailers) = finish(rsp).await;
    assert_eq!(body, message("hello"));
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"0".parse().unwrap(), &"fine".parse().unwrap())
    );
}

#[tokio::test]
async fn a_call_that_fails_without_a_body() {
    let pair = Pair::start(server()).await;
    let mut http = pair.client.http2().await;
    let rsp = http.send(call("Fail", full(message("hello")))).await;
    assert_eq!(
        (rsp.status().as_u16(), &rsp.headers()["grpc-status"]),
        (200, &"5".parse().unwrap())
    );
    assert_eq!(rsp.headers()["grpc-message"], "none such");
}

#[tokio::test]
async fn a_stream_of_the_server() {
    let pair = Pair::start(server()).await;
    let mut http = pair.client.http2().await;
    let (body, trailers) = finish(http.send(call("Many", full(message("go")))).await).await;
    assert_eq!(
        body,
        [message("one"), message("two"), message("three")].concat()
    );
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn a_stream_of_the_client() {
    let pair = Pair::start(server()).await;
    let mut http = pair.client.http2().await;
    let (mut tx, body) = body::channel();
    let rsp = http.send(call("Once", body)).await;
    for text in ["a", "b"] {
        tx.data(message(text)).await;
    }
    drop(tx);
    assert_eq!(finish(rsp).await.0, [message("a"), message("b")].concat());
}

#[tokio::test]
async fn streams_both_ways_interleave() {
    let pair = Pair::start(server()).await;
    let mut http = pair.client.http2().await;
    let (mut tx, body) = body::channel();
    let mut rsp = http.send(call("Each", body)).await;
    for text in ["ping", "pong", "ping"] {
        tx.data(message(text)).await;
        let back = soon(text, body::next(rsp.body_mut())).await.unwrap();
        assert_eq!(back.unwrap(), message(text));
    }
    drop(tx);
    assert_eq!(finish(rsp).await.1["grpc-status"], "0");
}

/// The code of a call that the mesh fails; HTTP says 200 then.
async fn code_of(pair: &Pair) -> String {
    let mut http = pair.client.http2().await;
    let rsp = http.send(call("Once", full(message("hello")))).await;
    assert_eq!(rsp.status(), 200);
    let code = rsp.headers().get("grpc-status");
    code.map_or_else(String::new, |code| code.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn no_endpoint_is_unavailable() {
    let pair = Pair::start(server()).await;
    pair.web.queue(10, Duration::from_millis(100)).endpoints([]);
    assert_eq!(code_of(&pair).await, "14");
}

#[tokio::test]
async fn an_application_that_is_down_is_unavailable() {
    let mut pair = Pair::start(server()).await;
    pair.server.kill_app().await;
    assert_eq!(code_of(&pair).await, "14");
}

#[tokio::test]
async fn a_denied_call_is_permission_denied() {
    let pair = Pair::start(server()).await;
    pair.server.policy(&pair.mesh, Policy::deny());
    eventually("the policy", async || {
        (code_of(&pair).await == "7").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_error_of_the_mesh_explains_itself() {
    let pair = Pair::start(server()).await;
    pair.web.queue(10, Duration::from_millis(100)).endpoints([]);
    let mut http = pair.client.http2().await;
    let rsp = http.send(call("Once", empty())).await;
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    assert!(error.contains(&format!("target={WEB}")), "{error}");
    assert!(error.contains("retry=yes"), "{error}");
    assert!(rsp.headers().contains_key("grpc-message"));
}
