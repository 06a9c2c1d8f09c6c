//! What nobody should send, through real proxies: every fault ends where it is,
//! and the next client is served.
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use mesh_integration::{
    Application, Endpoint, Pair, Raw, app,
    body::{self, empty, full},
    client::{Http1, get, post},
    control::Policy,
    peer::{self, Client, Session},
    wait::{eventually, soon, until},
    web,
};
use parking_lot::Mutex;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{net::TcpStream, sync::Notify};

/// Random bytes that are the same in each run.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

/// The proxies still do what they are for.
async fn still_serves(pair: &Pair) {
    assert_eq!(pair.client.get(&web("/")).await.status(), 200);
}

#[tokio::test]
async fn random_bytes_on_every_port() {
    let pair = Pair::start(app::says("hi")).await;
    for seed in 1..50 {
        for addr in [pair.client.outbound_addr(), pair.server.inbound_addr()] {
            let mut raw = Raw::connect(addr).await;
            raw.try_send(noise(seed, seed as usize * 20)).await;
            drop(raw);
        }
    }
    let mut raw = Raw::connect(pair.server.inbound_addr()).await;
    raw.try_send(noise(7, 4096)).await;
    let answer = raw.rest().await;
    // At most a TLS alert.
    assert!(answer.len() < 20, "{answer:?}");
    still_serves(&pair).await;
}

/// The first `len` bytes of a ClientHello for `server_name`.
async fn hello(server_name: &str, len: usize) -> Vec<u8> {
    let mut session = rustls::ClientConnection::new(
        Arc::new(
            rustls::ClientConfig::builder_with_provider(
                rustls::crypto::aws_lc_rs::default_provider().into(),
            )
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
        ),
        server_name.to_owned().try_into().unwrap(),
    )
    .unwrap();
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

#[tokio::test]
async fn half_a_client_hello_is_given_up_in_time() {
    let mesh = mesh_integration::Mesh::start().await;
    let server = mesh.pod("web").app(app::says("hi"));
    let server = server.set("INBOUND_DETECT_TIMEOUT", "200ms").start().await;
    let client = mesh.pod("client").start().await;
    let mut raw = Raw::connect(server.inbound_addr()).await;
    raw.send(hello(server.identity(), 100).await).await;
    raw.rest().await;
    still_serves(&Pair::of(mesh, server, client)).await;
}

#[tokio::test]
async fn half_a_client_hello_to_the_application_is_the_applications() {
    let mesh = mesh_integration::Mesh::start().await;
    let server = mesh.pod("web").app(app::raw(|mut raw| async move {
        raw.take(100).await;
        raw.send("got it").await;
    }));
    let server = server.intercepting().start().await;
    let short = Policy::all_unauthenticated().detecting_within(Duration::from_millis(200));
    server.policy(&mesh, short);
    eventually("an answer, once the policy is there", async || {
        let mut raw = Raw::connect(server.inbound_addr()).await;
        raw.send(hello(server.identity(), 100).await).await;
        let silent = raw.is_silent(Duration::from_millis(400)).await;
        (!silent).then_some(raw)
    })
    .await
    .until("got it")
    .await;
}

#[tokio::test]
async fn a_megabyte_of_headers_is_refused() {
    let pair = Pair::start(app::says("hi")).await;
    let mut raw = pair.client.raw().await;
    raw.send("GET / HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\n")
        .await;
    let line = format!("x-big: {}\r\n", "y".repeat(1000));
    for _ in 0..1000 {
        if !raw.try_send(&line).await {
            break;
        }
    }
    raw.try_send("\r\n").await;
    let answer = raw.rest().await;
    let status = answer.get(9..12).unwrap_or("closed");
    assert!(["431", "400", "closed"].contains(&status), "{answer}");
    still_serves(&pair).await;
}

#[tokio::test]
async fn thousands_of_headers_are_refused() {
    let pair = Pair::start(app::says("hi")).await;
    let mut raw = pair.client.raw().await;
    let lines: String = (0..2000).map(|i| format!("x-{i}: y\r\n")).collect();
    let head = "GET / HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\n";
    raw.try_send(format!("{head}{lines}\r\n")).await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    still_serves(&pair).await;
}

#[tokio::test]
async fn headers_without_end_over_http2_are_refused() {
    let pair = Pair::start(app::says("hi")).await;
    let mut http = pair.client.http2().await;
    let mut req = get(&web("/"));
    for i in 0..1000 {
        let name: http::HeaderName = format!("x-{i}").parse().unwrap();
        req.headers_mut()
            .insert(name, "y".repeat(1000).parse().unwrap());
    }
    match http.try_send(req).await {
        Ok(rsp) => assert_eq!(rsp.status(), 431),
        Err(error) => assert!(!error.is_timeout(), "{error:?}"),
    }
    still_serves(&pair).await;
}

#[tokio::test]
async fn ten_thousand_rapid_resets_are_cut_off() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    let pair = Pair::start(app::http(move |req| {
        let wait = req.uri().path() == "/wait";
        count.fetch_add(usize::from(wait), Relaxed);
        async move {
            if wait {
                std::future::pending::<()>().await;
            }
            Response::new(empty())
        }
    }))
    .await;
    still_serves(&pair).await;
    let io = TcpStream::connect(pair.client.outbound_addr())
        .await
        .unwrap();
    let (mut send, connection) = h2::client::Builder::new()
        .initial_max_send_streams(10_000)
        .handshake::<_, bytes::Bytes>(io)
        .await
        .unwrap();
    let ended = tokio::spawn(connection);
    let mut sent = 0;
    for _ in 0..10_000 {
        send = match soon("a stream", send.ready()).await {
            Ok(ready) => ready,
            Err(_) => break,
        };
        let req = Request::get(web("/wait")).body(()).unwrap();
        let Ok((_, mut stream)) = send.send_request(req, false) else {
            break;
        };
        stream.send_reset(h2::Reason::CANCEL);
        sent += 1;
        if sent % 20 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let error = soon("the end of the connection", ended).await.unwrap();
    assert!(error.is_err(), "{sent} streams were reset");
    assert!(
        seen.load(Relaxed) < 2000,
        "{} reached the server",
        seen.load(Relaxed)
    );
    still_serves(&pair).await;
}

#[tokio::test]
async fn a_client_that_sends_its_head_too_slowly_is_closed() {
    let mesh = mesh_integration::Mesh::start().await;
    let server = mesh.pod("web").app(app::says("hi")).start().await;
    let client = mesh
        .pod("client")
        .set("OUTBOUND_HEADER_READ_TIMEOUT", "150ms");
    let client = client.start().await;
    let pair = Pair::of(mesh, server, client);
    let mut raw = pair.client.raw().await;
    raw.send("GET / HTTP/1.1\r\nhost: web.shop.svc.cl").await;
    let answer = raw.rest().await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
    still_serves(&pair).await;
}

/// Sends `answer`, and breaks off when the test says so.
fn breaking_off(answer: &'static str, now: &Arc<Notify>) -> Application {
    let now = now.clone();
    app::raw(move |mut raw| {
        let now = now.clone();
        async move {
            raw.head().await;
            raw.send(answer).await;
            now.notified().await;
            raw.finish().await;
        }
    })
}

const BROKEN_OFF: [&str; 2] = [
    "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n",
];

#[tokio::test]
async fn a_server_that_closes_in_the_middle_is_an_error_to_the_client() {
    for answer in BROKEN_OFF {
        let now = Arc::new(Notify::new());
        let pair = Pair::start(breaking_off(answer, &now)).await;
        let mut http = pair.client.http1().await;
        let mut body = http.send(get(&web("/"))).await.into_body();
        let part = soon("a part", body::next(&mut body)).await.unwrap();
        assert_eq!(part.unwrap(), "only this");
        now.notify_one();
        assert!(soon("the end", body.collect()).await.is_err(), "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_an_error_to_the_client() {
    for answer in BROKEN_OFF {
        let now = Arc::new(Notify::new());
        let pair = Pair::start(breaking_off(answer, &now)).await;
        let mut http = pair.client.http1().await;
        now.notify_one();
        assert!(
            is_broken(http.try_send(get(&web("/"))).await).await,
            "{answer}"
        );
    }
}

/// An error, of status or of body.
async fn is_broken(rsp: hyper::Result<Response<Incoming>>) -> bool {
    match rsp {
        Ok(rsp) if rsp.status() == 502 => true,
        Ok(rsp) => soon("the end", rsp.into_body().collect()).await.is_err(),
        Err(_) => true,
    }
}

#[tokio::test]
async fn a_server_that_closes_without_an_answer_is_a_502() {
    let pair = Pair::start(app::raw(|mut raw| async move {
        raw.head().await;
    }))
    .await;
    let rsp = pair.client.get(&web("/")).await;
    assert_eq!(rsp.status(), 502);
    assert!(rsp.headers().contains_key("l5d-proxy-error"));
}

#[tokio::test]
async fn a_server_that_answers_nonsense_is_a_502() {
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ] {
        let pair = Pair::start(app::raw(move |mut raw| async move {
            raw.head().await;
            raw.send(answer).await;
            raw.finish().await;
        }))
        .await;
        assert_eq!(pair.client.get(&web("/")).await.status(), 502, "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_closes_in_the_middle_is_no_complete_request() {
    let (begun, outcomes) = (Arc::new(Notify::new()), Arc::new(Mutex::new(Vec::new())));
    let (begin, told) = (begun.clone(), outcomes.clone());
    let pair = Pair::start(app::http(move |req| {
        let (begin, told) = (begin.clone(), told.clone());
        async move {
            let mut body = req.into_body();
            assert_eq!(body::next(&mut body).await.unwrap().unwrap(), "hello");
            begin.notify_one();
            let complete = body.collect().await.is_ok();
            told.lock().push(complete);
            Response::new(empty())
        }
    }))
    .await;
    for (index, body) in [
        "content-length: 100\r\n\r\nhello",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ]
    .iter()
    .enumerate()
    {
        let mut raw = pair.client.raw().await;
        raw.send(format!(
            "POST / HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\n{body}"
        ))
        .await;
        soon("the beginning", begun.notified()).await;
        raw.finish().await;
        until("the end of the body", || outcomes.lock().len() > index).await;
    }
    assert_eq!(*outcomes.lock(), [false, false]);
}

#[tokio::test]
async fn a_target_that_is_none_is_a_400() {
    let pair = Pair::start(app::says("hi")).await;
    for target in ["http://web:99999/", "http://web:0/", "http://a..b/"] {
        let mut raw = pair.client.raw().await;
        raw.send(format!("GET {target} HTTP/1.1\r\nhost: web\r\n\r\n"))
            .await;
        let answer = raw.head().await;
        assert!(
            answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
            "{target}: {answer}"
        );
    }
    still_serves(&pair).await;
}

#[tokio::test]
async fn a_request_to_the_proxy_itself_is_a_loop() {
    let pair = Pair::start(app::says("hi")).await;
    let uri = format!("http://{}/", pair.client.outbound_addr());
    assert_eq!(pair.client.get(&uri).await.status(), 508);
}

#[tokio::test]
async fn a_loop_is_one_whatever_the_proxys_address_is_written_like() {
    let pair = Pair::start(app::says("hi")).await;
    let addr = pair.client.outbound_addr();
    let IpAddr::V4(ip) = addr.ip() else {
        panic!("{addr}")
    };
    let mapped = SocketAddr::from((ip.to_ipv6_mapped(), addr.port()));
    let rsp = pair.client.get(&format!("http://{mapped}/")).await;
    assert_eq!(rsp.status(), 508);
    // As an endpoint of a service, and in a tunnel.
    let own = pair.mesh.service("own.shop.svc.cluster.local:80");
    own.endpoints([Endpoint::plain(addr)]);
    let rsp = pair.client.get("http://own.shop.svc.cluster.local/").await;
    assert_eq!(rsp.status(), 508);
    let mut raw = pair.client.tunnel(&mapped.to_string()).await;
    raw.send("\x01\x02 no HTTP").await;
    assert_eq!(raw.rest().await, "");
    still_serves(&pair).await;
}

#[tokio::test]
async fn a_peer_can_not_reach_the_proxy_through_itself() {
    let pair = Pair::start(app::says("hi")).await;
    let server = &pair.server;
    for own in [server.inbound_addr(), server.outbound_addr()] {
        let peer = Client::new(&pair.mesh.ca, "peer");
        let io = peer.connect(server.inbound_addr(), server.identity()).await;
        let mut raw = Raw::new(io.unwrap());
        raw.send(peer::header(own.port(), Session::Http1)).await;
        let mut http = Http1::over(raw.into_inner()).await;
        assert_eq!(http.get("http://web/").await.status(), 508, "{own}");
    }
}

#[tokio::test]
async fn a_peer_that_breaks_http2_hurts_only_itself() {
    let pair = Pair::start(app::says("hi")).await;
    for seed in 1..20 {
        let mut raw = pair.client.raw().await;
        raw.try_send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.try_send(noise(seed, 300)).await;
        raw.finish().await;
        raw.rest().await;
    }
    still_serves(&pair).await;
}

#[tokio::test]
async fn a_body_nobody_wants_does_not_hang_the_client() {
    // Answers before it has read the body, and closes.
    let pair = Pair::start(app::raw(|mut raw| async move {
        raw.head().await;
        raw.send(
            "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        )
        .await;
        raw.finish().await;
    }))
    .await;
    let (mut tx, body) = body::channel();
    tokio::spawn(async move { while tx.data(vec![0; 64 << 10]).await {} });
    let mut http: Http1 = pair.client.http1().await;
    assert_eq!(http.send(post(&web("/"), body)).await.status(), 413);
}

#[tokio::test]
async fn a_body_that_the_client_breaks_off_is_its_own_failure() {
    let pair = Pair::start(app::http(|req| async move {
        let _broken = req.into_body().collect().await;
        Response::new(full("done"))
    }))
    .await;
    pair.client.get(&web("/")).await;
    let mut raw = pair.client.raw().await;
    let uri = web("/");
    raw.send(format!(
        "POST {uri} HTTP/1.1\r\nhost: web\r\ncontent-length: 100\r\n\r\npart"
    ))
    .await;
    raw.finish().await;
    let outbound = ["response_total", "direction=\"outbound\""];
    let counted = |error| pair.client.counted(&[&outbound[..], &[error]].concat());
    until("the answer", || {
        counted("error=\"bad request\"") + counted("error=\"canceled\"") == 1.0
    })
    .await;
    assert_eq!(counted("error=\"i/o\""), 0.0);
}
