//! HTTP/1 through two proxies, as client and application see it.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use mesh_integration::{
    Endpoint, Mesh, Pair, Raw, WEB, app,
    body::{self, TestBody, empty, full},
    client::{Http1, get, post, request, text, whole},
    wait::{soon, until},
    web,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

const ID: &str = "l5d-client-id: client.shop.serviceaccount.identity.mesh.cluster.local\n";

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_with_the_clients_identity() {
    let pair = Pair::start(app::reflect()).await;
    let rsp = pair.client.get(&web("//double//slash?x=1")).await;
    assert_eq!(rsp.status(), 200);
    assert_eq!(
        text(&rsp),
        format!("GET //double//slash?x=1 HTTP/1.1\nhost: web.shop.svc.cluster.local\n{ID}")
    );
}

#[tokio::test]
async fn intercepted_on_both_sides_there_is_no_transport_header() {
    let mesh = Mesh::start().await;
    let server = mesh
        .pod("web")
        .app(app::reflect())
        .intercepting()
        .start()
        .await;
    let cluster_ip: SocketAddr = "10.43.0.7:80".parse().unwrap();
    let client = mesh.pod("client").redirecting(cluster_ip).start().await;
    let service = mesh.service("web.shop.svc.cluster.local:80");
    service.endpoints([server.intercepted_endpoint()]);
    mesh.control.address(cluster_ip, &service);
    let mut http = client.http1().await;
    let mut req = get("/hello");
    req.headers_mut()
        .insert("host", "any.example".parse().unwrap());
    let rsp = whole(http.send(req).await).await;
    assert_eq!(
        text(&rsp),
        format!("GET /hello HTTP/1.1\nhost: any.example\n{ID}")
    );
}

#[tokio::test]
async fn an_unmeshed_server_gets_no_mesh_headers() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let client = mesh.pod("client").start().await;
    let plain = Endpoint::plain(server.app_addr());
    mesh.service("web.shop.svc.cluster.local:80")
        .endpoints([plain]);
    let rsp = client.get(&web("/")).await;
    assert_eq!(
        text(&rsp),
        "GET / HTTP/1.1\nhost: web.shop.svc.cluster.local\n"
    );
}

#[tokio::test]
async fn an_unknown_address_is_reached_as_it_is() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let client = mesh.pod("client").start().await;
    let rsp = client.get(&format!("http://{}/", server.app_addr())).await;
    assert_eq!(rsp.status(), 200);
}

#[tokio::test]
async fn keep_alive_keeps_both_ends_connections() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    let app = app::connections(move |stream| {
        count.fetch_add(1, Relaxed);
        let handler = |_: Request<Incoming>| async { Response::new(full("hello")) };
        app::serve_io(stream, false, Arc::new(handler))
    });
    let pair = Pair::start(app).await;
    let mut http = pair.client.http1().await;
    for _ in 0..5 {
        assert_eq!(text(&http.get(&web("/")).await), "hello");
    }
    assert!(!http.is_closed());
    assert_eq!(connections.load(Relaxed), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let pair = Pair::start(app::http(|req| async move {
        Response::new(full(req.uri().path().to_owned()))
    }))
    .await;
    let mut raw = pair.client.raw().await;
    let one = |path| format!("GET {path} HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\n\r\n");
    raw.send(one("/1") + &one("/22") + &one("/333")).await;
    for path in ["/1", "/22", "/333"] {
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(raw.take(path.len()).await, path.as_bytes());
    }
}

#[tokio::test]
async fn chunks_are_passed_on_as_they_come_both_ways() {
    let pair = Pair::start(app::echo()).await;
    let mut http = pair.client.http1().await;
    let (mut tx, body) = body::channel();
    let rsp = http.send(post(&web("/"), body)).await;
    assert_eq!(rsp.headers()["transfer-encoding"], "chunked");
    let mut echoed = rsp.into_body();
    for piece in ["one", "two", "three"] {
        tx.data(piece).await;
        // The answer to this piece comes before the next piece is sent.
        let back = soon(piece, body::next(&mut echoed)).await.unwrap();
        assert_eq!(back.unwrap(), piece);
    }
    drop(tx);
    assert_eq!(
        soon("the end", body::next(&mut echoed)).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_body_of_megabytes_comes_back_whole() {
    let pair = Pair::start(app::echo()).await;
    let mut http = pair.client.http1().await;
    let data: Vec<u8> = (0..5_000_000u32).map(|i| (i % 251) as u8).collect();
    let rsp = whole(http.send(post(&web("/"), full(data.clone()))).await).await;
    assert!(rsp.body() == &data);
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let pair = Pair::start(app::http(|req| async move {
        let body = req.into_body().collect().await.unwrap();
        let sum = body.trailers().unwrap()["x-sum"]
            .to_str()
            .unwrap()
            .to_owned();
        let (mut tx, body) = body::channel();
        tokio::spawn(async move {
            tx.data(sum).await;
            tx.trailers(&[("x-checked", "yes")]).await;
        });
        let rsp = Response::builder().header("trailer", "x-checked");
        rsp.body(body).unwrap()
    }))
    .await;
    let mut raw = pair.client.raw().await;
    raw.send(
        "POST / HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\ntransfer-encoding: chunked\r\n\
         te: trailers\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 42\r\n\r\n",
    )
    .await;
    let head = raw.head().await;
    assert!(head.contains("trailer: x-checked\r\n"), "{head}");
    assert_eq!(
        raw.until("\r\n\r\n").await,
        "2\r\n42\r\n0\r\nx-checked: yes\r\n\r\n"
    );
}

#[tokio::test]
async fn expect_continue_is_answered_before_the_body() {
    let pair = Pair::start(app::echo()).await;
    let mut raw = pair.client.raw().await;
    raw.send(
        "POST / HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\nexpect: 100-continue\r\n\
         content-length: 5\r\n\r\n",
    )
    .await;
    assert_eq!(raw.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("hello").await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(raw.until("hello").await.ends_with("hello"));
}

#[tokio::test]
async fn answers_without_a_body_keep_their_fields_and_the_connection() {
    let pair = Pair::start(app::raw(|mut raw| async move {
        loop {
            let head = raw.head().await;
            let answer = match head.split(' ').nth(1).unwrap() {
                "/head" => "HTTP/1.1 200 OK\r\ncontent-length: 154\r\n\r\n",
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\netag: \"a\"\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast",
            };
            raw.send(answer).await;
        }
    }))
    .await;
    let mut http = pair.client.http1().await;
    let head = whole(http.send(request("HEAD", &web("/head"), empty())).await).await;
    assert_eq!(head.headers()["content-length"], "154");
    let rsp = http.get(&web("/204")).await;
    assert_eq!(rsp.status(), 204);
    assert!(!rsp.headers().contains_key("content-length"));
    let rsp = http.get(&web("/304")).await;
    assert_eq!(
        (rsp.status().as_u16(), &rsp.headers()["etag"]),
        (304, &"\"a\"".parse().unwrap())
    );
    assert_eq!(text(&http.get(&web("/last")).await), "last");
}

fn websocket(path: &str) -> Request<TestBody> {
    let mut req = get(&web(path));
    let headers = req.headers_mut();
    headers.insert("connection", "Upgrade".parse().unwrap());
    headers.insert("upgrade", "websocket".parse().unwrap());
    headers.insert("sec-websocket-key", "abc".parse().unwrap());
    req
}

/// Accepts every upgrade and echoes; what the application saw is in `x-saw`.
fn upgrading_app() -> mesh_integration::Application {
    app::http(|mut req| async move {
        let saw = app::describe(&req).replace('\n', "|");
        let upgrade = hyper::upgrade::on(&mut req);
        tokio::spawn(async move {
            let mut raw = Raw::new(TokioIo::new(upgrade.await.unwrap()));
            let all = raw.until("bye").await;
            raw.send(all).await;
            raw.finish().await;
        });
        Response::builder()
            .status(101)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("x-saw", saw)
            .body(empty())
            .unwrap()
    })
}

#[tokio::test]
async fn an_upgrade_becomes_a_tunnel_through_both_proxies() {
    let pair = Pair::start(upgrading_app()).await;
    let mut http = pair.client.http1().await;
    let mut rsp = http.send(websocket("/chat")).await;
    assert_eq!(rsp.status(), 101);
    assert_eq!(rsp.headers()["upgrade"], "websocket");
    let saw = rsp.headers()["x-saw"].to_str().unwrap();
    assert!(saw.starts_with("GET /chat HTTP/1.1|"), "{saw}");
    assert!(
        saw.contains("|connection: upgrade|") && saw.contains("|upgrade: websocket|"),
        "{saw}"
    );
    assert!(
        saw.contains("|sec-websocket-key: abc|") && !saw.contains("l5d-orig-proto"),
        "{saw}"
    );
    let io = soon("the upgrade", hyper::upgrade::on(&mut rsp))
        .await
        .unwrap();
    let mut raw = Raw::new(TokioIo::new(io));
    raw.send("hello, bye").await;
    assert_eq!(raw.rest().await, "hello, bye");
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_a_plain_answer() {
    let pair = Pair::start(app::reflect()).await;
    let mut http = pair.client.http1().await;
    let rsp = whole(http.send(websocket("/")).await).await;
    assert_eq!(rsp.status(), 200);
    assert!(
        text(&rsp).contains("\nupgrade: websocket\n"),
        "{}",
        text(&rsp)
    );
    assert_eq!(http.get(&web("/again")).await.status(), 200);
}

#[tokio::test]
async fn http_10_stays_http_10() {
    let pair = Pair::start(app::reflect()).await;
    let mut raw = pair.client.raw().await;
    raw.send("GET http://web.shop.svc.cluster.local/old HTTP/1.0\r\n\r\n")
        .await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(body.starts_with("GET /old HTTP/1.0\n"), "{body}");
    assert!(body.contains(ID), "{body}");
}

#[tokio::test]
async fn http_10_may_have_no_host_where_the_target_is_known() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let cluster_ip: SocketAddr = "10.43.0.8:80".parse().unwrap();
    let client = mesh.pod("client").redirecting(cluster_ip).start().await;
    let service = mesh.service("web.shop.svc.cluster.local:80");
    service.endpoints([server.endpoint()]);
    mesh.control.address(cluster_ip, &service);
    let mut raw = client.raw().await;
    raw.send("GET /old HTTP/1.0\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains(&format!("\r\n\r\nGET /old HTTP/1.0\n{ID}")),
        "{answer}"
    );
}

#[tokio::test]
async fn http_11_without_host_is_refused() {
    let pair = Pair::start(app::reflect()).await;
    let mut raw = pair.client.raw().await;
    raw.send("GET /hello HTTP/1.1\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn connection_close_of_the_client_is_kept() {
    let pair = Pair::start(app::says("bye")).await;
    let mut raw = pair.client.raw().await;
    raw.send("GET / HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\nconnection: close\r\n\r\n")
        .await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(answer.ends_with("bye"), "{answer}");
}

#[tokio::test]
async fn connection_close_of_the_server_ends_at_its_proxy() {
    let pair = Pair::start(app::raw(|mut raw| async move {
        raw.head().await;
        raw.send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end")
            .await;
        raw.finish().await;
    }))
    .await;
    let mut http = pair.client.http1().await;
    for _ in 0..2 {
        let rsp = http.get(&web("/")).await;
        assert_eq!(text(&rsp), "until the end");
        assert!(!rsp.headers().contains_key("connection"));
    }
}

#[tokio::test]
async fn fields_of_one_hop_end_there_and_nobody_speaks_for_the_mesh() {
    let pair = Pair::start(app::reflect()).await;
    let mut req = get(&web("/hello"));
    for (name, value) in [
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("keep-alive", "5"),
        ("proxy-connection", "keep-alive"),
        ("l5d-client-id", "evil"),
        ("l5d-dst-canonical", "x"),
        ("l5d-remote-ip", "1.2.3.4"),
        ("l5d-orig-proto", "HTTP/1.0"),
        ("x-forwarded-for", "9.9.9.9"),
    ] {
        req.headers_mut().insert(name, value.parse().unwrap());
    }
    let mut http = pair.client.http1().await;
    let rsp = whole(http.send(req).await).await;
    let mut lines: Vec<_> = text(&rsp).lines().collect();
    lines[1..].sort_unstable();
    // Linkerd lets l5d-dst-canonical and l5d-remote-ip of the client through.
    assert_eq!(
        lines,
        [
            "GET /hello HTTP/1.1",
            "host: web.shop.svc.cluster.local",
            ID.trim(),
            "te: trailers",
            "x-forwarded-for: 9.9.9.9",
        ]
    );
}

#[tokio::test]
async fn what_the_application_says_in_the_meshs_name_does_not_arrive() {
    let pair = Pair::start(app::http(|_| async {
        Response::builder()
            .header("l5d-proxy-error", "made up")
            .header("l5d-proxy-connection", "close")
            .header("l5d-orig-proto", "HTTP/1.0")
            .header("keep-alive", "timeout=5")
            .header("server", "mine")
            .body(full("x"))
            .unwrap()
    }))
    .await;
    let rsp = pair.client.get(&web("/")).await;
    assert_eq!(rsp.version(), http::Version::HTTP_11);
    let names: Vec<_> = rsp.headers().keys().map(http::HeaderName::as_str).collect();
    assert!(names.contains(&"server"), "{names:?}");
    let wrong = |name: &&&str| name.starts_with("l5d-") || **name == "keep-alive";
    assert_eq!(names.iter().find(wrong), None);
}

#[tokio::test]
async fn a_client_that_leaves_releases_the_application() {
    let dropped = Arc::new(AtomicUsize::new(0));
    struct OnDrop(Arc<AtomicUsize>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }
    let (started, count) = (Arc::new(AtomicUsize::new(0)), dropped.clone());
    let begun = started.clone();
    let pair = Pair::start(app::http(move |_| {
        begun.fetch_add(1, Relaxed);
        let guard = OnDrop(count.clone());
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Response::new(empty())
        }
    }))
    .await;
    let mut raw = pair.client.raw().await;
    raw.send("GET / HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\n\r\n")
        .await;
    until("the request", || started.load(Relaxed) == 1).await;
    drop(raw);
    until("the release", || dropped.load(Relaxed) == 1).await;
}

#[tokio::test]
async fn a_request_of_another_client_is_not_held_up_by_a_slow_one() {
    let pair = Pair::start(app::http(|req| async move {
        if req.uri().path() == "/slow" {
            std::future::pending::<()>().await;
        }
        Response::new(full("fast"))
    }))
    .await;
    let mut slow: Http1 = pair.client.http1().await;
    let slow = tokio::spawn(async move { slow.try_send(get(&web("/slow"))).await });
    for _ in 0..3 {
        assert_eq!(text(&pair.client.get(&web("/fast")).await), "fast");
    }
    slow.abort();
}

#[tokio::test]
async fn an_upload_that_goes_on_after_its_answer_holds_up_nobody() {
    let pair = Pair::start(app::http(|req| async move {
        tokio::spawn(req.into_body().collect());
        Response::new(full("done"))
    }))
    .await;
    let (mut upload, body) = body::channel();
    let mut http = pair.client.http1().await;
    let rsp = whole(http.send(post(&web("/upload"), body)).await).await;
    assert_eq!(text(&rsp), "done");
    assert!(upload.data("more").await);
    assert_eq!(text(&pair.client.get(&web("/other")).await), "done");
    drop(upload);
}

#[tokio::test]
async fn a_get_may_have_a_body_of_unknown_length() {
    let pair = Pair::start(app::echo()).await;
    let mut http = pair.client.http1().await;
    let (mut tx, body) = body::channel();
    let mut req = request("GET", &web("/search"), body);
    let chunked = "chunked".parse().unwrap();
    req.headers_mut().insert("transfer-encoding", chunked);
    let rsp = tokio::spawn(async move { whole(http.send(req).await).await });
    tx.data("{query}").await;
    drop(tx);
    assert_eq!(text(&rsp.await.unwrap()), "{query}");
}

#[tokio::test]
async fn http2_is_nothing_to_upgrade_to() {
    let pair = Pair::start(app::reflect()).await;
    let mut req = websocket("/");
    let headers = req.headers_mut();
    headers.insert("upgrade", "h2c".parse().unwrap());
    headers.insert("http2-settings", "AAMAAABkAAQAAP__".parse().unwrap());
    let rsp = whole(pair.client.http1().await.send(req).await).await;
    let saw = text(&rsp);
    assert!(saw.contains("GET / HTTP/1.1\n"), "{saw}");
    assert!(!saw.contains("upgrade") && !saw.contains("http2"), "{saw}");
}

#[tokio::test]
async fn an_upgrade_refused_by_one_endpoint_goes_to_another() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(upgrading_app()).start().await;
    let client = mesh.pod("client").start().await;
    // Eight of nine refuse, so that the first choice nearly always does.
    let mut endpoints = vec![server.endpoint()];
    for _ in 0..8 {
        let mut gone = mesh.pod("web").start().await;
        gone.stop();
        gone.stopped().await;
        endpoints.push(gone.endpoint());
    }
    mesh.service(WEB).endpoints(endpoints);
    let mut rsp = client.http1().await.send(websocket("/")).await;
    assert_eq!(rsp.status(), 101);
    let io = soon("the upgrade", hyper::upgrade::on(&mut rsp)).await;
    let mut raw = Raw::new(TokioIo::new(io.unwrap()));
    raw.send("hello, bye").await;
    assert_eq!(raw.rest().await, "hello, bye");
}
