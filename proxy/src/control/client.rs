//! A client of one control-plane service that outlives its connections.
//!
//! All requests share one HTTP/2 connection. There is no task that keeps it up:
//! whoever needs it makes it, the others wait for that attempt and share its
//! result, and the back-off between attempts is held here, once per service,
//! however many watches want to come back. The addresses of the service are tried
//! in turn from a random one, so that the proxies of a mesh spread over replicas.

use super::{
    backoff::Delays,
    config::ControlConfig,
    connect::{ConnectError, ControlTls, connect},
    dns::SharedResolver,
    observe::{ControlObserver, Exchange},
    resolve,
};
use futures::future::BoxFuture;
use http::uri::{Authority, PathAndQuery, Scheme};
use hyper::client::conn::http2::SendRequest;
use parking_lot::Mutex;
use rand::{Rng as _, rngs::SmallRng};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio::time::{Instant, sleep_until};
use tonic::body::Body;
use tower::{BoxError, Service, ServiceExt as _};

/// What generated clients are built on: any service of gRPC requests, such as a
/// [`ControlClient`], or a generated server in a test.
pub type Channel =
    tower::util::BoxCloneSyncService<http::Request<Body>, http::Response<Body>, ChannelError>;

/// A request got no response.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ChannelError(BoxError);

/// Makes a [`Channel`] of a service.
pub fn channel<S>(service: S) -> Channel
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S: Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    Channel::new(service.map_err(|error| ChannelError(error.into())))
}

/// A client of one control-plane service; clones share the connection.
#[derive(Clone)]
pub struct ControlClient(Arc<Inner>);

struct Inner {
    config: ControlConfig,
    tls: Option<ControlTls>,
    dns: SharedResolver,
    observer: Arc<dyn ControlObserver>,
    authority: Authority,
    state: tokio::sync::Mutex<State>,
    /// Attempts that failed; who waited for one sees it change.
    failures: AtomicU64,
    last_error: Mutex<Option<Arc<ConnectError>>>,
}

struct State {
    sender: Option<SendRequest<Body>>,
    delays: Delays<SmallRng>,
    not_before: Option<Instant>,
}

/// No request could be sent: there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the control plane at {authority} is not reachable: {source}")]
pub struct Unreachable {
    authority: Authority,
    source: Arc<ConnectError>,
}

impl ControlClient {
    /// A client that connects when it is first used. `tls` is needed for a
    /// service that is not on loopback.
    pub fn new(
        config: ControlConfig,
        tls: Option<ControlTls>,
        dns: SharedResolver,
        observer: Arc<dyn ControlObserver>,
    ) -> Self {
        let authority = config.addr.target.to_string();
        let authority = Authority::try_from(authority)
            .expect("a target is an address or a checked DNS name with a port");
        let state = State {
            sender: None,
            delays: config.backoff.delays_from_entropy(),
            not_before: None,
        };
        Self(Arc::new(Inner {
            config,
            tls,
            dns,
            observer,
            authority,
            state: tokio::sync::Mutex::new(state),
            failures: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }))
    }

    /// Connects, if there is no connection; whether it worked, the first to use it finds out.
    pub async fn warm(&self) {
        self.0.sender().await.ok();
    }

    /// This client as what [`crate::discovery::Discovery`] and generated clients take.
    pub fn channel(&self) -> Channel {
        channel(self.clone())
    }
}

impl Service<http::Request<Body>> for ControlClient {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<http::Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { inner.send(request).await })
    }
}

impl Inner {
    async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, BoxError> {
        let exchange = Exchange::begin(self.observer.clone());
        let sent = async {
            let mut sender = self.sender().await?;
            let response = sender.send_request(self.absolute(request)?).await?;
            Ok::<_, BoxError>(response)
        };
        match sent.await {
            Ok(response) => Ok(exchange.follow(response).map(Body::new)),
            Err(error) => {
                exchange.fail();
                Err(error)
            }
        }
    }

    /// Generated clients know the path alone; HTTP/2 wants scheme and authority.
    fn absolute(&self, mut request: http::Request<Body>) -> Result<http::Request<Body>, BoxError> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(if self.tls.is_some() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        });
        parts.authority = Some(self.authority.clone());
        parts
            .path_and_query
            .get_or_insert(PathAndQuery::from_static("/"));
        *request.uri_mut() = http::Uri::from_parts(parts)?;
        Ok(request)
    }

    /// The connection, made if there is none; the result of a running attempt is
    /// shared by all who wait for it.
    async fn sender(&self) -> Result<SendRequest<Body>, Unreachable> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(sender) = state.sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        state.sender = None;
        if self.failures.load(Ordering::Acquire) != failures
            && let Some(source) = self.last_error.lock().clone()
        {
            return Err(self.unreachable(source));
        }
        if let Some(at) = state.not_before {
            sleep_until(at).await;
        }
        let result = self.connect_any().await;
        self.observer.connect(result.is_ok());
        self.note(&mut state, result)
    }

    /// Keeps the new connection, or when to try next and why.
    fn note(
        &self,
        state: &mut State,
        result: Result<SendRequest<Body>, ConnectError>,
    ) -> Result<SendRequest<Body>, Unreachable> {
        match result {
            Ok(sender) => {
                state.delays.reset();
                state.not_before = None;
                state.sender = Some(sender.clone());
                Ok(sender)
            }
            Err(error) => {
                let delay = state.delays.next_delay();

                tracing::warn!(service = %self.authority, %error, ?delay, "The control plane is not reachable");
                state.not_before = Some(Instant::now() + delay);
                let error = Arc::new(error);
                *self.last_error.lock() = Some(error.clone());
                self.failures.fetch_add(1, Ordering::Release);
                Err(self.unreachable(error))
            }
        }
    }

    /// Tries every address once, from a random one on.
    async fn connect_any(&self) -> Result<SendRequest<Body>, ConnectError> {
        self.await_identity().await?;
        let mut addrs = resolve::addresses(&self.config.addr, &*self.dns, &*self.observer).await?;
        let first = rand::rng().random_range(0..addrs.len());
        addrs.rotate_left(first);
        let mut last = None;
        for addr in addrs {
            match connect(addr, &self.config, self.tls.as_ref()).await {
                Ok(sender) => {
                    tracing::info!(service = %self.authority, %addr, "Connected to the control plane");
                    return Ok(sender);
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("there is at least one address"))
    }

    async fn await_identity(&self) -> Result<(), ConnectError> {
        let Some(mut ready) = self.tls.as_ref().and_then(|tls| tls.ready.clone()) else {
            return Ok(());
        };
        let waited = ready.wait_for(|ready| *ready).await;
        waited
            .map(|_| ())
            .map_err(|_| ConnectError::IdentityStopped)
    }

    fn unreachable(&self, source: Arc<ConnectError>) -> Unreachable {
        Unreachable {
            authority: self.authority.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests;
