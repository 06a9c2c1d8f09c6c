//! The two gRPC servers: who may connect, and how much of us they may use.
//!
//! A connection that arrives on a loopback address is plaintext, because a stock
//! linkerd2-proxy talks so whatever it is told; any other needs mutual TLS
//! (design.md, "Settled details"). Without a certificate of our own, the others
//! are refused in the handshake.

pub(crate) mod frames;

use crate::config::Config;
use futures::Stream;
use mesh_identity::{
    crypto,
    server::{Connection, Limits, incoming},
};
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    convert::Infallible,
    future::Future,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpListener;
use tonic::{
    body::Body,
    codegen::{
        BoxFuture,
        http::{Request, Response},
    },
    server::NamedService,
    transport::Server,
};
use tower_service::Service;

/// Finds clients that vanished without a word.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of headers in one request; ours need some hundred.
const HEADER_LIST: u32 = 16 * 1024;

/// Connections as they come. Must be called within a tokio runtime.
pub(crate) fn connections(
    listener: TcpListener,
    config: &Config,
) -> impl Stream<Item = io::Result<Connection>> + Send + use<> {
    let tls = match &config.credentials {
        Some(credentials) => credentials.server_config(vec![b"h2".to_vec()]),
        None => refuse_all(),
    };
    let limits = Limits {
        connections: config.max_connections,
        ..Limits::default()
    };
    incoming(listener, tls, limits)
}

/// A service as tonic generates them: it answers every request with a response.
pub(crate) trait GrpcService:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>
    + Clone
    + Send
    + 'static
{
}

impl<S> GrpcService for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future = Answer>
        + Clone
        + Send
        + 'static
{
}

/// What generated services return.
pub(crate) type Answer = BoxFuture<Response<Body>, Infallible>;

/// Serves until `shutdown`, and then until the streams have ended.
pub(crate) async fn serve(
    service: impl GrpcService,
    connections: impl Stream<Item = io::Result<Connection>> + Send,
    max_streams: u32,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .max_concurrent_streams(max_streams)
        .http2_max_header_list_size(HEADER_LIST)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .serve_with_incoming_shutdown(service, connections, shutdown)
        .await
}

/// TLS without a certificate: every handshake fails.
fn refuse_all() -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has suites of TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(NoCertificate));
    Arc::new(config)
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}

/// Two services on one listener. A path that is neither's goes to the first,
/// which answers UNIMPLEMENTED.
#[derive(Clone, Debug)]
pub(crate) struct Both<A, B>(pub(crate) A, pub(crate) B);

impl<A: GrpcService, B: GrpcService + NamedService> Service<Request<Body>> for Both<A, B> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Generated services are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let service = request.uri().path().split('/').nth(1);
        let answer = match service == Some(B::NAME) {
            true => self.1.call(request),
            false => self.0.call(request),
        };
        Box::pin(async move { answer.await.map(frames::put_in_place) })
    }
}
