//! Applications: HTTP by hyper, or bytes.

use crate::{
    body::{TestBody, full},
    pod::Application,
    raw::Raw,
};
use futures::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, fmt::Write, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// HTTP/1 and HTTP/2 by prior knowledge.
pub fn http<F, Fut>(handler: F) -> Application
where
    F: Fn(Request<Incoming>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<TestBody>> + Send + 'static,
{
    let handler = Arc::new(handler);
    connections(move |stream| serve_http(stream, handler.clone()))
}

/// Answers each request with its own head as text.
pub fn reflect() -> Application {
    http(|req| async move { Response::new(full(describe(&req))) })
}

/// Answers each request with its own body.
pub fn echo() -> Application {
    http(|req| async move { Response::new(req.into_body().map_err(std::io::Error::other).boxed()) })
}

/// Answers each request with `text`.
pub fn says(text: &'static str) -> Application {
    http(move |_| async move { Response::new(full(text)) })
}

/// Bytes.
pub fn raw<F, Fut>(handler: F) -> Application
where
    F: Fn(Raw) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    connections(move |stream| handler(Raw::new(stream)))
}

/// Serves each accepted connection; all end when the application does.
pub fn connections<F, Fut>(serve: F) -> Application
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let accept = |listener: TcpListener| async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    };
    Box::new(|listener| accept(listener).boxed())
}

/// What the application has received: the request line and fields, a line each.
pub fn describe<B>(req: &Request<B>) -> String {
    let mut text = format!("{} {} {:?}\n", req.method(), req.uri(), req.version());
    for (name, value) in req.headers() {
        writeln!(
            text,
            "{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        )
        .unwrap();
    }
    text
}

async fn serve_http<F, Fut>(stream: TcpStream, handler: Arc<F>)
where
    F: Fn(Request<Incoming>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<TestBody>> + Send + 'static,
{
    let mut start = [0; 3];
    while let Ok(1..3) = stream.peek(&mut start).await {
        tokio::task::yield_now().await;
    }
    serve_io(stream, start == *b"PRI", handler).await;
}

/// Serves HTTP over any connection; how it ends is the client's to see.
pub async fn serve_io<I, F, Fut>(io: I, h2: bool, handler: Arc<F>)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Fn(Request<Incoming>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<TestBody>> + Send + 'static,
{
    let service = service_fn(move |req| handler(req).map(Ok::<_, Infallible>));
    let io = TokioIo::new(io);
    let _ended = if h2 {
        http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, service)
            .await
    } else {
        http1::Builder::new()
            .serve_connection(io, service)
            .with_upgrades()
            .await
    };
}
