//! Keep-alive HTTP/1.1 connections to a proxy, with absolute-form requests.
//!
//! A client library's pool would retry on a connection that broke; here a broken request has to show, so the pool is a plain stack.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use thiserror::Error;
use tokio::net::TcpStream;

/// Why no response came.
#[derive(Debug, Error)]
pub(super) enum HttpError {
    #[error("connect: {}", .0.kind())]
    Connect(#[from] std::io::Error),
    #[error("connection: {0}")]
    Http(#[from] hyper::Error),
}

/// Idle connections; the one used last is used first, so that few stay open.
#[derive(Debug)]
pub(super) struct Pool {
    proxy: SocketAddr,
    authority: String,
    idle: Mutex<Vec<SendRequest<Empty<Bytes>>>>,
}

impl Pool {
    pub(super) fn new(proxy: SocketAddr, authority: &str) -> Self {
        Self {
            proxy,
            authority: authority.to_owned(),
            idle: Mutex::default(),
        }
    }

    /// One GET; the connection is kept when the whole body has been read.
    pub(super) async fn get(&self) -> Result<Response<Bytes>, HttpError> {
        let mut connection = self.take().await?;
        let request = Request::get(format!("http://{}/", self.authority))
            .header(http::header::HOST, &self.authority)
            .body(Empty::new())
            .expect("the service's authority is a valid one");
        let (parts, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        if connection.ready().await.is_ok() {
            self.idle.lock().push(connection);
        }
        Ok(Response::from_parts(parts, body))
    }

    async fn take(&self) -> Result<SendRequest<Empty<Bytes>>, HttpError> {
        while let Some(connection) = self.pop() {
            if connection.is_ready() {
                return Ok(connection);
            }
        }
        let stream = TcpStream::connect(self.proxy).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn pop(&self) -> Option<SendRequest<Empty<Bytes>>> {
        self.idle.lock().pop()
    }
}
