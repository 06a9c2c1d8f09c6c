//! HTTP clients: hyper, one connection each.

use crate::{
    body::{TestBody, empty},
    wait::soon,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::HOST};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// An HTTP/1 connection.
pub struct Http1(http1::SendRequest<TestBody>);

/// An HTTP/2 connection; clones share it.
#[derive(Clone)]
pub struct Http2(http2::SendRequest<TestBody>);

impl Http1 {
    /// Connects to `addr`.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::over(soon(addr, TcpStream::connect(addr)).await.unwrap()).await
    }

    /// Speaks HTTP/1 over `io`.
    pub async fn over<I>(io: I) -> Self
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        Self(sender)
    }

    /// Sends `req`; done at the head of the response.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn try_send(
        &mut self,
        mut req: Request<TestBody>,
    ) -> hyper::Result<Response<Incoming>> {
        if let Some(authority) = req.uri().authority() {
            let host = HeaderValue::from_str(authority.as_str()).unwrap();
            req.headers_mut().entry(HOST).or_insert(host);
        }
        soon("the connection to be ready", self.0.ready()).await?;
        soon("a response", self.0.send_request(req)).await
    }

    /// As [`Self::try_send`], and it must succeed.
    pub async fn send(&mut self, req: Request<TestBody>) -> Response<Incoming> {
        self.try_send(req).await.unwrap()
    }

    /// GET, with the whole answer.
    pub async fn get(&mut self, uri: &str) -> Response<Bytes> {
        let rsp = self.send(get(uri)).await;
        whole(rsp).await
    }

    /// Whether the other side has closed the connection.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Http2 {
    /// Connects to `addr`.
    pub async fn connect(addr: SocketAddr) -> Self {
        Self::over(soon(addr, TcpStream::connect(addr)).await.unwrap()).await
    }

    /// Speaks HTTP/2 over `io`.
    pub async fn over<I>(io: I) -> Self
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends `req`; done at the head of the response.
    ///
    /// # Errors
    /// When the stream or the connection fails.
    pub async fn try_send(&mut self, req: Request<TestBody>) -> hyper::Result<Response<Incoming>> {
        soon("the connection to be ready", self.0.ready()).await?;
        soon("a response", self.0.send_request(req)).await
    }

    /// As [`Self::try_send`], and it must succeed.
    pub async fn send(&mut self, req: Request<TestBody>) -> Response<Incoming> {
        self.try_send(req).await.unwrap()
    }

    /// GET, with the whole answer.
    pub async fn get(&mut self, uri: &str) -> Response<Bytes> {
        let rsp = self.send(get(uri)).await;
        whole(rsp).await
    }

    /// Whether the connection is closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// A GET request.
pub fn get(uri: &str) -> Request<TestBody> {
    request("GET", uri, empty())
}

/// A POST request.
pub fn post(uri: &str, body: TestBody) -> Request<TestBody> {
    request("POST", uri, body)
}

/// A request in absolute form.
pub fn request(method: &str, uri: &str, body: TestBody) -> Request<TestBody> {
    Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .unwrap()
}

/// Reads the body to its end, which must come.
pub async fn whole(rsp: Response<Incoming>) -> Response<Bytes> {
    let (parts, body) = rsp.into_parts();
    let body = soon("the whole body", body.collect()).await.unwrap();
    Response::from_parts(parts, body.to_bytes())
}

/// The body as text.
pub fn text(rsp: &Response<Bytes>) -> &str {
    std::str::from_utf8(rsp.body()).unwrap()
}
