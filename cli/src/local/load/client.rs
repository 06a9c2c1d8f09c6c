//! One request of the load, in each of its three kinds.

use http::HeaderMap;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::Load;
use super::http1::Pool;
use crate::local::app::REPLICA_HEADER;
use crate::local::app::echo::{Message, REPEAT, SAY, codec};

/// In which a proxy says why it failed a request.
const PROXY_ERROR: &str = "l5d-proxy-error";

/// What a request is; half are HTTP/1.1, and one gRPC call in four is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Say,
    Repeat,
}

impl Kind {
    pub(super) fn of(index: u64) -> Self {
        match index % 8 {
            7 => Self::Repeat,
            odd if odd % 2 == 1 => Self::Say,
            _ => Self::Http,
        }
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The replica that answered, when one did.
    pub(super) replica: Option<String>,
    /// In a word or two why it failed.
    pub(super) failure: Option<String>,
}

impl Reply {
    pub(super) fn failed(replica: Option<String>, cause: impl Into<String>) -> Self {
        Self {
            replica,
            failure: Some(cause.into()),
        }
    }

    pub(super) fn ok(replica: Option<String>) -> Self {
        Self {
            replica,
            failure: None,
        }
    }
}

/// Connections to the client's proxy.
#[derive(Debug)]
pub(super) struct Client {
    http: Pool,
    grpc: Channel,
}

impl Client {
    pub(super) fn new(load: &Load) -> Self {
        let origin = format!("http://{}", load.grpc_authority);
        let origin = origin
            .parse()
            .expect("the service's authority is a valid one");
        let proxy = format!("http://{}", load.proxy);
        let grpc = Endpoint::from_shared(proxy)
            .expect("an address is a valid authority")
            .origin(origin)
            .connect_lazy();
        Self {
            http: Pool::new(load.proxy, &load.http_authority),
            grpc,
        }
    }

    pub(super) async fn send(&self, kind: Kind) -> Reply {
        match kind {
            Kind::Http => self.http().await,
            Kind::Say => self
                .say()
                .await
                .unwrap_or_else(|status| grpc_failure(&status)),
            Kind::Repeat => self
                .repeat()
                .await
                .unwrap_or_else(|status| grpc_failure(&status)),
        }
    }

    async fn http(&self) -> Reply {
        match self.http.get().await {
            Ok(response) if response.status().is_success() => {
                Reply::ok(replica(response.headers()))
            }
            Ok(response) => Reply::failed(
                replica(response.headers()),
                explained(
                    format!("HTTP {}", response.status().as_u16()),
                    response.headers(),
                ),
            ),
            Err(error) => Reply::failed(None, error.to_string()),
        }
    }

    async fn say(&self) -> Result<Reply, Status> {
        let mut client = self.ready().await?;
        let response = client
            .unary(
                message(),
                http::uri::PathAndQuery::from_static(SAY),
                codec(),
            )
            .await?;
        Ok(Reply::ok(replica(response.metadata().as_ref())))
    }

    async fn repeat(&self) -> Result<Reply, Status> {
        let mut client = self.ready().await?;
        let path = http::uri::PathAndQuery::from_static(REPEAT);
        let response = client.server_streaming(message(), path, codec()).await?;
        let reply = Reply::ok(replica(response.metadata().as_ref()));
        let mut stream = response.into_inner();
        while stream.message().await?.is_some() {}
        Ok(reply)
    }

    async fn ready(&self) -> Result<tonic::client::Grpc<Channel>, Status> {
        let mut client = tonic::client::Grpc::new(self.grpc.clone());
        client
            .ready()
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(client)
    }
}

fn message() -> Request<Message> {
    Request::new(Message {
        text: "hello".to_owned(),
    })
}

fn grpc_failure(status: &Status) -> Reply {
    let headers: &HeaderMap = status.metadata().as_ref();
    let code = format!("gRPC {:?}", status.code());
    let cause = if headers.contains_key(PROXY_ERROR) || headers.contains_key(REPLICA_HEADER) {
        explained(code, headers)
    } else {
        // Nobody answered: what the library made of it is all there is.
        format!("{code}: {}", status.message())
    };
    Reply::failed(replica(headers), cause)
}

/// `what` with a proxy's reason, if it was a proxy that said so.
fn explained(what: String, headers: &HeaderMap) -> String {
    match headers.get(PROXY_ERROR) {
        Some(reason) => format!("{what}: {}", String::from_utf8_lossy(reason.as_bytes())),
        None => what,
    }
}

fn replica(headers: &HeaderMap) -> Option<String> {
    headers
        .get(REPLICA_HEADER)?
        .to_str()
        .ok()
        .map(str::to_owned)
}
