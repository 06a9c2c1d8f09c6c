use std::time::Duration;

use tonic::transport::Endpoint;
use tonic::{Code, Request};

use super::behaviour::Settings;
use super::echo::{Message, REPEAT, REPEATS, SAY, codec};
use super::*;

async fn start(failure_rate: f64) -> SocketAddr {
    let settings = Settings {
        base: Duration::ZERO,
        tail: Duration::ZERO,
        failure_rate,
        seed: 1,
    };
    let app = App::new("web-0", Behaviour::new(settings)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(serve(app, listener));
    addr
}

async fn grpc_client(addr: SocketAddr) -> tonic::client::Grpc<tonic::transport::Channel> {
    let channel = Endpoint::from_shared(format!("http://{addr}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    client
}

fn message() -> Request<Message> {
    Request::new(Message {
        text: "hello".to_owned(),
    })
}

#[tokio::test]
async fn http_names_the_replica_and_shows_the_request() {
    let addr = start(0.0).await;
    let response = super::super::http_get::get(addr, "/hello").await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[REPLICA_HEADER], "web-0");
    let text = String::from_utf8(response.into_body().to_vec()).unwrap();
    assert!(
        text.starts_with("Hello from web-0. You sent:\n\nGET /hello HTTP/1.1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn http_failure_is_503() {
    let addr = start(1.0).await;
    let response = super::super::http_get::get(addr, "/").await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()[REPLICA_HEADER], "web-0");
}

#[tokio::test]
async fn grpc_echoes_once_and_as_a_stream() {
    let mut client = grpc_client(start(0.0).await).await;
    let said = client
        .unary(message(), SAY.parse().unwrap(), codec())
        .await
        .unwrap();
    assert_eq!(said.metadata().get(REPLICA_HEADER).unwrap(), "web-0");
    assert_eq!(said.into_inner().text, "hello");

    client.ready().await.unwrap();
    let repeated = client
        .server_streaming(message(), REPEAT.parse().unwrap(), codec())
        .await
        .unwrap();
    let mut stream = repeated.into_inner();
    let mut count = 0;
    while let Some(message) = stream.message().await.unwrap() {
        assert_eq!(message.text, "hello");
        count += 1;
    }
    assert_eq!(count, REPEATS);
}

#[tokio::test]
async fn grpc_failure_and_unknown_method_have_their_codes() {
    let mut client = grpc_client(start(1.0).await).await;
    let status = client
        .unary(message(), SAY.parse().unwrap(), codec())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.metadata().get(REPLICA_HEADER).unwrap(), "web-0");

    let mut client = grpc_client(start(0.0).await).await;
    let status = client
        .unary(message(), "/demo.v1.Echo/Shout".parse().unwrap(), codec())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}
