//! An HTTP/1 server and client.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};

use super::{Failure, address, pod, terminated};

/// Until SIGTERM, and then until those have their answers who have asked.
pub(super) async fn serve(port: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind(("0.0.0.0", port.parse()?)).await?;
    let open = GracefulShutdown::new();
    let mut terminated = pin!(terminated());
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            signalled = &mut terminated => {
                signalled?;
                break;
            }
        };
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        let connection = open.watch(connection);
        tokio::spawn(async move { connection.await.ok() });
    }
    drop(listener);
    open.shutdown().await;
    Ok(())
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.uri().path() {
        "/headers" => format!("{:#?}\n", request.headers()),
        path => format!("{} {path}\n", pod()),
    };
    Ok(Response::new(Full::from(body)))
}

/// A server by its URL.
pub(super) struct Target {
    uri: Uri,
    authority: String,
    addr: SocketAddr,
}

impl Target {
    /// Looks up its name.
    pub(super) async fn find(url: &str) -> Result<Self, Failure> {
        let uri: Uri = url.parse()?;
        let authority = uri.authority().ok_or("no host")?;
        let port = authority.port_u16().unwrap_or(80);
        let addr = address(authority.host(), port).await?;
        let authority = authority.to_string();
        Ok(Self {
            uri,
            authority,
            addr,
        })
    }

    pub(super) async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, Failure> {
        let stream = TcpStream::connect(self.addr).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// The whole answer to a GET.
    pub(super) async fn get(
        &self,
        sender: &mut SendRequest<Empty<Bytes>>,
    ) -> Result<Response<Bytes>, Failure> {
        let request = Request::get(self.uri.path())
            .header("host", &self.authority)
            .body(Empty::new())?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

pub(super) async fn get(url: &str) -> Result<(), Failure> {
    let target = Target::find(url).await?;
    let mut sender = target.connect().await?;
    let response = target.get(&mut sender).await?;
    print!("{}", String::from_utf8_lossy(response.body()));
    let status = response.status();
    status
        .is_success()
        .then_some(())
        .ok_or_else(|| status.to_string().into())
}
