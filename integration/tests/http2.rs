//! HTTP/2 through two proxies: requests, frames, trailers, streams.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use futures::future::join_all;
use http::Response;
use http_body_util::BodyExt;
use mesh_integration::{
    Pair, app,
    body::{self, empty, full},
    client::{post, request, text, whole},
    wait::{DEADLINE, soon},
    web,
};

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
async fn many_streams_share_a_connection_from_the_first_request_on() {
    let pair = Pair::start(app::http(|req| async move {
        Response::new(full(req.uri().path().to_owned()))
    }))
    .await;
    // Nobody knows yet whether there is an endpoint that they wait for.
    pair.web.queue(10, DEADLINE);
    let http = pair.client.http2().await;
    let requests = (0..300).map(|i| {
        let mut http = http.clone();
        async move {
            let rsp = http.get(&web(&format!("/{i}"))).await;
            assert_eq!(text(&rsp), format!("/{i}"));
        }
    });
    join_all(requests).await;
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
    let req = request("HEAD", &web("/"), empty());
    let rsp = whole(http.send(req).await).await;
    assert_eq!(rsp.headers()["content-length"], "154");
    assert!(rsp.body().is_empty());
}
