//! The outbound listener as an HTTP proxy, and what it does not do.

#![allow(clippy::unwrap_used)] // A test that can't go on panics.

use http::{Method, Request};
use mesh_integration::{Mesh, Pair, Pod, WEB, app, wait::soon, web};
use tokio::net::TcpStream;

/// The status of a CONNECT over HTTP/2, and why.
async fn connect(client: &Pod) -> (u16, String) {
    let io = TcpStream::connect(client.outbound_addr()).await.unwrap();
    let (send, connection) = h2::client::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let mut send: h2::client::SendRequest<bytes::Bytes> = send.ready().await.unwrap();
    let req = Request::builder().method(Method::CONNECT).uri(WEB);
    let (rsp, _body) = send.send_request(req.body(()).unwrap(), false).unwrap();
    let rsp = soon("an answer", rsp).await.unwrap();
    let error = rsp.headers().get("l5d-proxy-error");
    let error = error.map_or("", |error| error.to_str().unwrap());
    (rsp.status().as_u16(), error.to_owned())
}

#[tokio::test]
async fn connect_over_http2_is_refused() {
    let pair = Pair::start(app::reflect()).await;
    let (status, error) = connect(&pair.client).await;
    assert_eq!(status, 501, "{error}");
    assert!(error.contains("use HTTP/1.1"), "{error}");
}

#[tokio::test]
async fn connect_over_http2_is_refused_where_the_target_is_known() {
    let mesh = Mesh::start().await;
    let server = mesh.pod("web").app(app::reflect()).start().await;
    let client = mesh
        .pod("client")
        .redirecting(server.app_addr())
        .start()
        .await;
    mesh.control.pod(server.endpoint());
    let (status, error) = connect(&client).await;
    assert_eq!(status, 501, "{error}");
}

#[tokio::test]
async fn https_is_not_sent_in_plaintext() {
    let pair = Pair::start(app::reflect()).await;
    let uri = web("/").replace("http:", "https:");
    let rsp = pair.client.get(&uri).await;
    assert_eq!(rsp.status(), 501);
    let error = rsp.headers()["l5d-proxy-error"].to_str().unwrap();
    assert!(error.contains("use CONNECT"), "{error}");
    let rsp = pair.client.http2().await.get(&uri).await;
    assert_eq!(rsp.status(), 501);
}

#[tokio::test]
async fn options_of_the_whole_server_arrive() {
    let pair = Pair::start(app::reflect()).await;
    pair.server.policy(
        &pair.mesh,
        mesh_integration::control::Policy::all_unauthenticated().route("/", &[]),
    );
    let options = "OPTIONS * HTTP/1.1\r\nhost: web.shop.svc.cluster.local\r\n\r\n";
    let seen = || pair.server.counted(&["inbound_http_authz_allow_total"]);
    pair.client.get(&web("/")).await;
    assert_eq!(seen(), 1.0);
    let mut raw = pair.client.raw().await;
    raw.send(options).await;
    let head = raw.head().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(raw.until("host").await.starts_with("OPTIONS * HTTP/1.1"));
}
