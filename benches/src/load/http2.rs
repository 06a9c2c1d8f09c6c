//! HTTP/2 and gRPC: many requests at a time on a connection.

use std::rc::Rc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response};
use tokio::net::TcpStream;

use super::{Load, LoadError, Shared};
use crate::app;
use crate::case::Protocol;

/// Wide enough that no window is waited for.
const WINDOW: u32 = 4 << 20;

/// A connection, shared by its streams.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
}

impl Connection {
    pub(super) async fn open(load: &Load) -> Result<Self, LoadError> {
        let stream = TcpStream::connect(load.target).await?;
        stream.set_nodelay(true)?;
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        let (sender, connection) = builder.handshake(stream).await?;
        // Its streams see how it ended.
        tokio::spawn(connection);
        Ok(Self { sender })
    }
}

impl Connection {
    /// One request and its whole response.
    pub(super) async fn exchange(&self, load: &Load) -> Result<(), LoadError> {
        exchange(&self.sender, request(load), body(load).as_ref(), load).await
    }
}

/// Sends on one stream after the other until the end, on another connection if this one broke.
pub(super) async fn work(mut connection: Connection, shared: Rc<Shared>) {
    let load = &shared.load;
    let (request, body) = (request(load), body(load));
    while let Some(due) = shared.due().await {
        let result = exchange(&connection.sender, request.clone(), body.as_ref(), load).await;
        shared.record(due, &result);
        if result.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            if let Ok(other) = Connection::open(load).await {
                connection = other;
            }
        }
    }
}

fn body(load: &Load) -> Option<Bytes> {
    let grpc = load.case.protocol == Protocol::Grpc;
    grpc.then(|| app::grpc_message(load.case.bytes()))
}

fn request(load: &Load) -> Request<()> {
    let (authority, size) = (&load.authority, load.case.bytes());
    let request = match load.case.protocol {
        Protocol::Grpc => Request::post(format!("http://{authority}{}", app::GRPC_PATH))
            .header("content-type", "application/grpc")
            .header("te", "trailers"),
        _ => Request::get(format!("http://{authority}/{size}")),
    };
    request.body(()).expect("an address and a path are valid")
}

async fn exchange(
    sender: &SendRequest<Bytes>,
    request: Request<()>,
    body: Option<&Bytes>,
    load: &Load,
) -> Result<(), LoadError> {
    let mut sender = sender.clone().ready().await?;
    let (response, mut stream) = sender.send_request(request, body.is_none())?;
    if let Some(body) = body {
        stream.send_data(body.clone(), true)?;
    }
    let response = response.await?;
    let wrong = |what: String| Err(LoadError::Answer(what));
    if response.status() != 200 {
        return wrong(format!("HTTP {}", response.status().as_u16()));
    }
    let grpc = load.case.protocol == Protocol::Grpc;
    let wanted = body.map_or(load.case.bytes(), Bytes::len);
    let (length, status) = receive(response).await?;
    if length != wanted {
        return wrong(format!("{length} bytes of body"));
    }
    match status {
        Some(status) if grpc && status != "0" => wrong(format!("gRPC status {status}")),
        None if grpc => wrong("no gRPC status".to_owned()),
        _ => Ok(()),
    }
}

/// The length of the body, and the status in the trailers.
async fn receive(response: Response<h2::RecvStream>) -> Result<(usize, Option<String>), LoadError> {
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        length += data.len();
        body.flow_control().release_capacity(data.len())?;
    }
    let trailers = body.trailers().await?;
    let status = trailers.and_then(|trailers| {
        let status = trailers.get("grpc-status")?.to_str().ok()?;
        Some(status.to_owned())
    });
    Ok((length, status))
}
