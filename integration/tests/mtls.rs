//! Mutual TLS with a peer that is not ours, in both roles, and with impostors.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use bytes::Bytes;
use http::{Request, Response};
use mesh_integration::{
    Ca, Endpoint, Mesh, Pair, Pod, Raw, WEB, app,
    body::full,
    ca,
    client::{Http1, Http2, text},
    peer::{self, Client, Server, Session, is_refused},
    wait::{eventually, soon},
    web,
};
use std::time::Duration;

/// A server, and a peer's TLS connection to its inbound port.
async fn direct(
    mesh: &Mesh,
) -> (
    Pod,
    Raw<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>,
) {
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let peer = Client::new(&mesh.ca, "peer");
    let io = peer
        .connect(server.inbound_addr(), server.identity())
        .await
        .unwrap();
    (server, Raw::new(io))
}

#[tokio::test]
async fn a_stock_peer_sends_http1_with_a_transport_header() {
    let mesh = Mesh::start().await;
    let (server, mut raw) = direct(&mesh).await;
    raw.send(peer::header(server.app_addr().port(), Session::Http1))
        .await;
    let mut http = Http1::over(raw.into_inner()).await;
    let mut req = mesh_integration::client::get("/x");
    req.headers_mut().insert("host", "web".parse().unwrap());
    let rsp = mesh_integration::client::whole(http.send(req).await).await;
    let id = ca::identity("peer");
    assert_eq!(
        text(&rsp),
        format!("GET /x HTTP/1.1\nhost: web\nl5d-client-id: {id}\n")
    );
}

#[tokio::test]
async fn a_stock_peer_carries_http1_over_http2() {
    let mesh = Mesh::start().await;
    let (server, mut raw) = direct(&mesh).await;
    raw.send(peer::header(server.app_addr().port(), Session::Http2))
        .await;
    let (send, connection) = h2::client::handshake(raw.into_inner()).await.unwrap();
    tokio::spawn(connection);
    let mut send = send.ready().await.unwrap();
    let id = ca::identity("peer");
    for (proto, line) in [
        ("HTTP/1.1", "GET /x?y HTTP/1.1"),
        ("HTTP/1.1; absolute-form", "GET http://web:80/x?y HTTP/1.1"),
        ("HTTP/1.0", "GET /x?y HTTP/1.0"),
    ] {
        let req = Request::get("http://web:80/x?y").header("l5d-orig-proto", proto);
        let (rsp, _) = send.send_request(req.body(()).unwrap(), true).unwrap();
        let rsp = soon(proto, rsp).await.unwrap();
        let answered = &proto[..8];
        assert_eq!(rsp.headers()["l5d-orig-proto"], answered, "{proto}");
        let body = read(rsp).await;
        assert_eq!(
            body,
            format!("{line}\nhost: web:80\nl5d-client-id: {id}\n"),
            "{proto}"
        );
    }
}

async fn read(rsp: Response<h2::RecvStream>) -> String {
    let mut body = rsp.into_body();
    let mut all = Vec::new();
    while let Some(data) = soon("data", body.data()).await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend(data);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn a_stock_peer_that_is_redirected_needs_no_alpn() {
    let mesh = Mesh::start().await;
    let server = mesh
        .pod("web")
        .app(app::reflect())
        .intercepting()
        .start()
        .await;
    let peer = Client::new(&mesh.ca, "peer").without_alpn();
    let io = peer
        .connect(server.inbound_addr(), server.identity())
        .await
        .unwrap();
    assert_eq!(io.get_ref().1.alpn_protocol(), None);
    let rsp = Http2::over(io).await.get("http://web/x").await;
    let id = ca::identity("peer");
    assert_eq!(
        text(&rsp),
        format!("GET http://web/x HTTP/2.0\nl5d-client-id: {id}\n")
    );
}

#[tokio::test]
async fn plaintext_that_is_redirected_is_for_policy_to_judge() {
    let mesh = Mesh::start().await;
    let server = mesh
        .pod("web")
        .app(app::reflect())
        .intercepting()
        .start()
        .await;
    let mut http = Http1::connect(server.inbound_addr()).await;
    let rsp = http.get("http://web/x").await;
    assert!(!text(&rsp).contains("l5d-client-id"), "{}", text(&rsp));
    assert_eq!(rsp.status(), 200);
}

#[tokio::test]
async fn tls_for_somebody_else_is_passed_through_untouched() {
    let mesh = Mesh::start().await;
    let server = mesh
        .pod("web")
        .app(app::raw(|mut raw| async move {
            let hello = raw.take(6).await;
            // A TLS record of a ClientHello, as the client wrote it.
            assert_eq!((hello[0], hello[5]), (0x16, 0x01));
            raw.send("not a ServerHello").await;
            raw.finish().await;
        }))
        .intercepting()
        .start()
        .await;
    let peer = Client::new(&mesh.ca, "peer").without_alpn();
    let error = peer
        .connect(server.inbound_addr(), "somebody.else.example")
        .await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("corrupt message") || error.contains("InvalidContentType"),
        "{error}"
    );
}

/// A client whose service `web` is a stock peer that serves one HTTP/2 request.
#[tokio::test]
async fn a_stock_server_gets_http1_over_http2_and_its_answer_back() {
    let mesh = Mesh::start().await;
    let server = Server::new(&mesh.ca, "web", false).await;
    let client = mesh.pod("client").start().await;
    mesh.service(WEB).endpoints([server.intercepted_endpoint()]);
    let serve = async {
        let accepted = server.accept().await;
        assert_eq!(accepted.sni.as_deref(), Some(server.identity()));
        assert_eq!(accepted.alpn, None);
        assert!(accepted.is_from(client.identity()));
        let mut h2 = h2::server::handshake(accepted.io).await.unwrap();
        let (req, mut rsp) = h2.accept().await.unwrap().unwrap();
        assert_eq!(req.uri(), "http://web.shop.svc.cluster.local/hello");
        assert_eq!(req.headers()["l5d-orig-proto"], "HTTP/1.1");
        assert!(!req.headers().contains_key("transfer-encoding"));
        assert!(!req.headers().contains_key("l5d-client-id"));
        let head = Response::builder().header("l5d-orig-proto", "HTTP/1.0");
        let mut body = rsp.send_response(head.body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::from_static(b"hi"), true).unwrap();
        while h2.accept().await.is_some() {}
    };
    let request = client.get("http://web.shop.svc.cluster.local/hello");
    let rsp = tokio::select! {
        rsp = request => rsp,
        () = serve => panic!("the connection ended"),
    };
    assert_eq!(text(&rsp), "hi");
    assert!(!rsp.headers().contains_key("l5d-orig-proto"));
}

#[tokio::test]
async fn a_stock_server_is_told_what_a_direct_connection_is_for() {
    let mesh = Mesh::start().await;
    let server = Server::new(&mesh.ca, "web", true).await;
    let client = mesh.pod("client").start().await;
    mesh.service(WEB).endpoints([server.endpoint(8080)]);
    let uri = web("/");
    let _request = tokio::spawn(async move { client.get(&uri).await });
    let mut accepted = server.accept().await;
    assert_eq!(accepted.alpn.as_deref(), Some(peer::TRANSPORT));
    accepted.expect(&peer::header(8080, Session::Http2)).await;
    accepted.expect(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
}

#[tokio::test]
async fn no_header_is_sent_to_a_server_that_does_not_agree_to_it() {
    let mesh = Mesh::start().await;
    let server = Server::new(&mesh.ca, "web", false).await;
    let client = mesh.pod("client").start().await;
    mesh.service(WEB)
        .queue(10, Duration::from_millis(300))
        .endpoints([server.endpoint(8080)]);
    let uri = web("/");
    let request = tokio::spawn(async move { client.get(&uri).await });
    let mut io = Raw::new(server.accept().await.io);
    assert_eq!(io.rest().await, "", "bytes of a header");
    let _refused = tokio::spawn(async move {
        loop {
            let _again = server.try_accept().await;
        }
    });
    let rsp = request.await.unwrap();
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    assert_eq!(rsp.status(), 503, "{error}");
    assert!(error.contains("transport.l5d.io/v1"), "{error}");
}

#[tokio::test]
async fn an_upgrade_goes_to_a_stock_server_as_http1() {
    let mesh = Mesh::start().await;
    let server = Server::new(&mesh.ca, "web", true).await;
    let client = mesh.pod("client").start().await;
    mesh.service(WEB).endpoints([server.endpoint(8080)]);
    let mut raw = client.raw().await;
    raw.send(
        "GET /chat HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\n\r\n",
    )
    .await;
    let mut accepted = server.accept().await;
    accepted.expect(&peer::header(8080, Session::Http1)).await;
    let mut wire = Raw::new(accepted.io);
    let head = wire.head().await.to_lowercase();
    assert!(head.starts_with("get /chat http/1.1\r\n"), "{head}");
    assert!(
        head.contains("upgrade: websocket\r\n") && !head.contains("l5d-"),
        "{head}"
    );
    wire.send(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhi",
    )
    .await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101"));
    assert_eq!(raw.take(2).await, b"hi");
}

/// What a client gets from an endpoint that proves to be nobody or somebody else.
async fn answer_of(mesh: &Mesh, endpoint: Endpoint) -> Response<Bytes> {
    let client = mesh.pod("client").start().await;
    let service = mesh.service(WEB);
    service
        .queue(10, Duration::from_millis(200))
        .endpoints([endpoint]);
    client.get(&web("/")).await
}

async fn impostor(mesh: &Mesh, leaf: ca::Leaf) {
    let web = ca::identity("web");
    let server = Server::with_leaf(&mesh.ca, web, leaf, false).await;
    let endpoint = server.intercepted_endpoint();
    let accepting = tokio::spawn(async move {
        loop {
            // The client must hang up in the handshake, before a byte of the request.
            assert!(server.try_accept().await.is_err());
        }
    });
    let rsp = answer_of(mesh, endpoint).await;
    assert_eq!(rsp.status(), 503, "{:?}", rsp.body());
    assert!(!accepting.is_finished());
}

#[tokio::test]
async fn a_server_with_anothers_identity_gets_no_request() {
    let mesh = Mesh::start().await;
    impostor(&mesh, mesh.ca.leaf(&ca::identity("mallory"))).await;
}

#[tokio::test]
async fn a_server_of_another_root_gets_no_request() {
    let mesh = Mesh::start().await;
    impostor(&mesh, Ca::new().leaf(&ca::identity("web"))).await;
}

#[tokio::test]
async fn a_server_with_an_expired_certificate_gets_no_request() {
    let mesh = Mesh::start().await;
    impostor(&mesh, mesh.ca.expired(&ca::identity("web"))).await;
}

#[tokio::test]
async fn a_server_without_tls_gets_no_request_in_plaintext() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::says("leaked")).start().await;
    let endpoint = Endpoint::meshed(server.app_addr(), ca::identity("web"));
    let rsp = answer_of(&mesh, endpoint).await;
    assert_eq!(rsp.status(), 503);
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    assert!(error.contains("fault=upstream; retry=yes"), "{error}");
}

#[tokio::test]
async fn a_client_of_another_root_is_refused() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let leaf = Ca::new().leaf(&ca::identity("peer"));
    let peer = Client::new(&mesh.ca, "peer").presenting(Some(leaf));
    assert!(is_refused(peer.connect(server.inbound_addr(), server.identity()).await).await);
}

#[tokio::test]
async fn a_client_with_an_expired_certificate_is_refused() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let leaf = mesh.ca.expired(&ca::identity("peer"));
    let peer = Client::new(&mesh.ca, "peer").presenting(Some(leaf));
    assert!(is_refused(peer.connect(server.inbound_addr(), server.identity()).await).await);
}

#[tokio::test]
async fn the_direct_port_is_for_identified_peers_with_a_header() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let (addr, name) = (server.inbound_addr(), server.identity());
    let anonymous = Client::new(&mesh.ca, "peer").presenting(None);
    assert!(
        is_refused(anonymous.connect(addr, name).await).await,
        "no certificate"
    );
    let silent = Client::new(&mesh.ca, "peer").without_alpn();
    assert!(
        is_refused(silent.connect(addr, name).await).await,
        "no ALPN"
    );
    let wrong = Client::new(&mesh.ca, "peer").asking_for("mallory.example");
    let mut wrong = Raw::new(wrong.connect(addr, name).await.unwrap());
    wrong
        .try_send(peer::header(server.app_addr().port(), Session::Http1))
        .await;
    wrong.try_send("GET / HTTP/1.1\r\nhost: web\r\n\r\n").await;
    assert_eq!(wrong.rest().await, "", "wrong SNI");
    let mut plain = Raw::connect(addr).await;
    plain.try_send("GET / HTTP/1.1\r\nhost: web\r\n\r\n").await;
    let answer = plain.rest().await;
    assert!(!answer.contains("HTTP"), "plaintext: {answer}");
    // And it still serves who may be served.
    let good = Client::new(&mesh.ca, "peer")
        .connect(addr, name)
        .await
        .unwrap();
    let mut good = Raw::new(good);
    good.send(peer::header(server.app_addr().port(), Session::Http1))
        .await;
    good.send("GET / HTTP/1.1\r\nhost: web\r\n\r\n").await;
    assert!(good.head().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_broken_transport_header_ends_the_connection() {
    let mesh = Mesh::start().await;
    for header in [
        b"transport.l5d.io/v2\r\n\r\n\0\0\0\x03\x08\xb8\x2a".to_vec(),
        peer::framed(b""),
        peer::framed(&[0x08, 0x00]),
        peer::framed(&[0x08, 0xff, 0xff, 0xff, 0x7f]),
        peer::framed(&[0xff; 9]),
        [peer::TRANSPORT, b"\r\n\r\n\xff\xff\xff\xff"].concat(),
        b"GET / HTTP/1.1\r\nhost: web\r\n\r\n".to_vec(),
    ] {
        let (_server, mut raw) = direct(&mesh).await;
        raw.try_send(&header).await;
        assert_eq!(raw.rest().await, "", "{header:?}");
    }
}

#[tokio::test]
async fn a_change_of_the_trust_bundle_is_noticed_and_drops_no_connection() {
    let mesh = Mesh::start().await;
    let bundle = mesh.path("bundle.pem");
    std::fs::write(&bundle, mesh.ca.anchors()).unwrap();
    let server = mesh.pod("web").app(app::says("hi"));
    let server = server
        .set("IDENTITY_TRUST_ANCHORS_FILE", bundle.display())
        .start()
        .await;
    let other = Ca::new();
    let (addr, name) = (server.inbound_addr(), server.identity());
    let stranger = || {
        let leaf = Some(other.leaf(&ca::identity("stranger")));
        Client::new(&mesh.ca, "stranger").presenting(leaf)
    };
    assert!(is_refused(stranger().connect(addr, name).await).await);
    let old = Client::new(&mesh.ca, "peer")
        .connect(addr, name)
        .await
        .unwrap();
    let mut old = Raw::new(old);
    old.send(peer::header(server.app_addr().port(), Session::Http1))
        .await;
    let get = "GET / HTTP/1.1\r\nhost: web\r\n\r\n";
    old.send(get).await;
    assert!(old.until("hi").await.starts_with("HTTP/1.1 200"));

    std::fs::write(&bundle, mesh.ca.anchors() + &other.anchors()).unwrap();
    let header = peer::header(server.app_addr().port(), Session::Http1);
    let mut raw = eventually("the stranger to be trusted", async || {
        let mut raw = Raw::new(stranger().connect(addr, name).await.ok()?);
        let sent = raw.try_send(&header).await && raw.try_send(get).await;
        let closed = !sent || raw.is_closed().await;
        (!closed).then_some(raw)
    })
    .await;
    assert!(raw.until("hi").await.starts_with("HTTP/1.1 200"));
    old.send(get).await;
    assert!(old.until("hi").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn our_own_proxies_prove_their_identities_to_each_other() {
    let pair = Pair::start(app::http(|req| async move {
        let id = req.headers()["l5d-client-id"].to_str().unwrap().to_owned();
        Response::new(full(id))
    }))
    .await;
    let rsp = pair.client.get(&web("/")).await;
    assert_eq!(text(&rsp), pair.client.identity());
}
