//! The demo's application: a small HTTP/1.1 and gRPC server that knows nothing of the mesh.
//!
//! Both listeners speak both protocols; a request is gRPC by its content type. What makes replicas differ (latency, failures) is in
//! [`Behaviour`]; what they answer is in [`http`] and [`echo`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::try_join_all;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tonic::body::Body;

pub(crate) mod behaviour;
pub(crate) mod echo;
mod http;

pub(crate) use behaviour::Behaviour;

/// The response header, or gRPC metadata, in which a replica names itself.
pub(crate) const REPLICA_HEADER: &str = "x-replica";

/// One replica.
#[derive(Debug)]
pub(crate) struct App {
    name: ::http::HeaderValue,
    behaviour: Behaviour,
}

impl App {
    /// A replica of this name; `None` when the name cannot stand in a header.
    pub(crate) fn new(name: &str, behaviour: Behaviour) -> Option<Arc<Self>> {
        let name = ::http::HeaderValue::from_str(name).ok()?;
        name.to_str().ok()?;
        Some(Arc::new(Self { name, behaviour }))
    }

    fn name(&self) -> &str {
        self.name.to_str().unwrap_or_default()
    }

    async fn handle(self: Arc<Self>, request: ::http::Request<Incoming>) -> ::http::Response<Body> {
        let grpc = request
            .headers()
            .get(::http::header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        let outcome = self.behaviour.act().await;
        let mut response = if grpc {
            echo::serve(&self, outcome, request).await
        } else {
            http::serve(&self, outcome, &request)
        };
        response
            .headers_mut()
            .insert(REPLICA_HEADER, self.name.clone());
        response
    }
}

/// Binds every address, then serves until the future is dropped.
///
/// # Errors
/// The first address that cannot be bound, or a listener that fails for good.
pub(crate) async fn run(app: Arc<App>, addrs: &[SocketAddr]) -> io::Result<()> {
    let bind = |addr: &SocketAddr| {
        let addr = *addr;
        async move {
            TcpListener::bind(addr)
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("{addr}: {error}")))
        }
    };
    let listeners = try_join_all(addrs.iter().map(bind)).await?;
    tracing::info!(replica = app.name(), ?addrs, "Application is ready");
    try_join_all(
        listeners
            .into_iter()
            .map(|listener| serve(app.clone(), listener)),
    )
    .await?;
    Ok(())
}

/// Accepts on one listener until the future is dropped.
///
/// # Errors
/// When the listener fails for good.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let app = app.clone();
        let service = service_fn(move |request| {
            let app = app.clone();
            async move { Ok::<_, std::convert::Infallible>(app.handle(request).await) }
        });
        tokio::spawn(async move {
            let served = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "Connection ended early");
            }
        });
    }
}

#[cfg(test)]
mod tests;
