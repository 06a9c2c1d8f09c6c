//! One endpoint of a service, as the balancer's services.
//!
//! An endpoint that refuses a connection is taken out of the choice at once and
//! tried again in the background, with back-off, until it answers: no request
//! is used as a probe. The request that met the refusal comes back unsent and is
//! balanced again.

use super::{Settings, metrics};
use crate::{
    drain,
    http::{
        Version,
        account::{Account, Record, Summary},
        body::{Observed, RequestBody},
        client::{Client, ClientResponse, Lease, SendError, Stage},
        error::BoxError,
        headers, orig_proto, upgrade,
    },
    metrics::{Class, HttpEndpointMetrics},
    policy::{EndpointMeta, Hint},
    transport::{
        connect::{ConnectError, Connection, Connector, Session},
        splice::SpliceOptions,
    },
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use mesh_balancer::{Gate, InFlight, Outcome, QueueError, Track, Unsent};
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::time::Instant;
use tower_service::Service;

/// An endpoint that takes HTTP requests. Clones are the same endpoint.
#[derive(Clone)]
pub struct HttpEndpoint(Arc<Http>);

struct Http {
    client: Client,
    hint: Hint,
    meshed: bool,
    explain: bool,
    metrics: Arc<HttpEndpointMetrics>,
    health: Health,
    splice: SpliceOptions,
    drain: drain::Watch,
}

/// An endpoint that takes opaque connections. Clones are the same endpoint.
#[derive(Clone)]
pub struct TcpEndpoint(Arc<Tcp>);

struct Tcp {
    connector: Connector,
    health: Health,
}

/// Why an endpoint of a backend last refused a connection: what a client that
/// waited in vain is told. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct LastRefusal(Arc<Mutex<Option<Arc<str>>>>);

/// How an endpoint's balancer hears whether it takes connections.
pub struct Reports {
    /// Shut while it does not.
    pub gate: Gate,
    /// Why it does not.
    pub refusal: LastRefusal,
}

/// Whether the endpoint takes connections, and its way back.
struct Health {
    reports: Reports,
    backoff: crate::control::Backoff,
    recovering: AtomicBool,
}

/// A response with what is needed to account for it.
pub struct EndpointResponse {
    rsp: ClientResponse,
    metrics: Arc<HttpEndpointMetrics>,
    sent: Instant,
}

/// The body of an endpoint's response; its end releases load and connection.
pub type EndpointBody = Observed<Observed<Incoming, Lease>, Account<Load>>;

/// Accounts for HTTP responses.
#[derive(Clone, Copy, Debug)]
pub struct HttpTrack;

/// Keeps a response's load until it ended.
pub struct Load {
    in_flight: InFlight,
    metrics: Arc<HttpEndpointMetrics>,
    outcome: Option<Class>,
}

type BoxFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl HttpEndpoint {
    /// An endpoint reached by `connector`.
    pub fn new(
        connector: Connector,
        meta: &EndpointMeta,
        metrics: Arc<HttpEndpointMetrics>,
        reports: Reports,
        settings: &Settings,
        drain: drain::Watch,
    ) -> Self {
        Self(Arc::new(Http {
            client: Client::new(connector, settings.client.clone()),
            hint: meta.hint,
            meshed: meta.identity.is_some(),
            explain: settings.explain,
            metrics,
            health: Health::new(reports, settings),
            splice: settings.splice,
            drain,
        }))
    }

    /// Prepares `req` for the endpoint; returns the version of its connection.
    fn prepare(&self, req: &mut Request<RequestBody>) -> Version {
        match Version::of(req) {
            Version::H2 => Version::H2,
            Version::Http1
                if self.0.hint == Hint::H2
                    && !headers::is_upgrade(req)
                    && orig_proto::can_upgrade(req)
                    && orig_proto::upgrade(req) =>
            {
                Version::H2
            }
            Version::Http1 => Version::Http1,
        }
    }

    async fn send(self, mut req: Request<RequestBody>) -> Result<EndpointResponse, Box<SendError>> {
        let was = req.version();
        let connect = req.method() == http::Method::CONNECT;
        let upgrading = headers::is_upgrade(&req).then(|| hyper::upgrade::on(&mut req));
        let via = self.prepare(&mut req);
        self.0.metrics.request();
        let sent = Instant::now();
        let mut rsp = match self.0.client.send(req, via).await {
            Ok(rsp) => rsp,
            Err(mut error) => {
                self.failed(&error, sent);
                // The next endpoint is to see what the application sent.
                if let Some(req) = &mut error.unsent
                    && req.version() != was
                {
                    orig_proto::restore(req);
                }
                return Err(error);
            }
        };
        self.clean(&mut rsp, was, upgrading.is_some());
        if let Some(client) = upgrading
            && upgrade::is_switched(&rsp, connect)
        {
            let server = hyper::upgrade::on(&mut rsp);
            upgrade::join(client, server, self.0.splice, self.0.drain.clone());
        }
        let metrics = self.0.metrics.clone();
        Ok(EndpointResponse { rsp, metrics, sent })
    }

    /// Removes from a response what was for this proxy only.
    fn clean(&self, rsp: &mut ClientResponse, was: http::Version, upgrading: bool) {
        let carried = was != http::Version::HTTP_2 && rsp.version() == http::Version::HTTP_2;
        if carried {
            orig_proto::unmark(rsp);
        }
        let switched = upgrading && rsp.status() == StatusCode::SWITCHING_PROTOCOLS;
        headers::strip_hop_by_hop(rsp.headers_mut(), switched);
        let close = self.0.meshed
            && was != http::Version::HTTP_2
            && rsp
                .headers()
                .get(headers::PROXY_CONNECTION)
                .is_some_and(|value| value == "close");
        let keep: &[_] = if self.0.meshed && self.0.explain {
            &[headers::PROXY_ERROR]
        } else {
            &[]
        };
        headers::strip_l5d(rsp.headers_mut(), keep);
        if close {
            rsp.headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }

    fn failed(&self, error: &SendError, sent: Instant) {
        metrics::failed(&self.0.metrics, error, sent.elapsed());
        if error.stage != Stage::Connect {
            return;
        }
        let (endpoint, version) = (Arc::downgrade(&self.0), self.version());
        self.0.health.recover(&error.cause, move || {
            let endpoint = endpoint.upgrade().map(HttpEndpoint);
            async move {
                let endpoint = endpoint?;
                let ok = endpoint.0.client.warm(version).await.is_ok();
                ok.then(|| endpoint.0.health.opened());
                Some(ok)
            }
        });
    }

    /// What a connection made without a request is for.
    fn version(&self) -> Version {
        match self.0.hint {
            Hint::H2 => Version::H2,
            Hint::Opaque | Hint::Unknown => Version::Http1,
        }
    }
}

impl Service<Request<RequestBody>> for HttpEndpoint {
    type Response = EndpointResponse;
    type Error = Box<SendError>;
    type Future = BoxFuture<EndpointResponse, Box<SendError>>;

    /// Always: which connection is needed depends on the request.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, req: Request<RequestBody>) -> Self::Future {
        Box::pin(self.clone().send(req))
    }
}

impl Unsent<Request<RequestBody>> for Box<SendError> {
    fn unsent(mut self) -> Result<Request<RequestBody>, Self> {
        self.unsent.take().ok_or(self)
    }
}

impl TcpEndpoint {
    /// An endpoint reached by `connector`.
    pub fn new(connector: Connector, reports: Reports, settings: &Settings) -> Self {
        Self(Arc::new(Tcp {
            connector,
            health: Health::new(reports, settings),
        }))
    }

    async fn connect(self) -> Result<Connection, ConnectError> {
        let result = self.0.connector.connect(Session::Opaque).await;
        if let Err(error) = &result {
            let endpoint = Arc::downgrade(&self.0);
            self.0.health.recover(error, move || {
                let endpoint = endpoint.upgrade();
                async move {
                    let endpoint = endpoint?;
                    let ok = endpoint.connector.probe().await.is_ok();
                    ok.then(|| endpoint.health.opened());
                    Some(ok)
                }
            });
        }
        result
    }
}

impl Service<()> for TcpEndpoint {
    type Response = Connection;
    type Error = ConnectError;
    type Future = BoxFuture<Connection, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

impl Unsent<()> for ConnectError {
    /// Nothing is sent before there is a connection.
    fn unsent(self) -> Result<(), Self> {
        Ok(())
    }
}

impl LastRefusal {
    /// `failfast` with the reason, if an endpoint ever refused.
    pub fn explain(&self, failfast: QueueError) -> BoxError {
        match &*self.0.lock() {
            Some(reason) => format!("{failfast}; last: {reason}").into(),
            None => failfast.into(),
        }
    }
}

impl Health {
    fn new(reports: Reports, settings: &Settings) -> Self {
        Self {
            reports,
            backoff: settings.connect_backoff,
            recovering: AtomicBool::new(false),
        }
    }

    /// Shuts the gate and tries `attempt` with back-off until it succeeds
    /// (`Some(true)`) or the endpoint is gone (`None`).
    fn recover<F>(
        &self,
        why: &(impl std::fmt::Display + ?Sized),
        attempt: impl Fn() -> F + Send + 'static,
    ) where
        F: Future<Output = Option<bool>> + Send,
    {
        *self.reports.refusal.0.lock() = Some(why.to_string().into());
        self.reports.gate.shut();
        if self.recovering.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::info!(error = %why, "Endpoint refuses connections");
        let backoff = self.backoff;
        tokio::spawn(async move {
            let mut delays = backoff.delays_from_entropy();
            loop {
                tokio::time::sleep(delays.next_delay()).await;
                if attempt().await != Some(false) {
                    return;
                }
            }
        });
    }

    fn opened(&self) {
        self.recovering.store(false, Ordering::Release);
        self.reports.gate.open();
        tracing::info!("Endpoint takes connections again");
    }
}

impl Track<EndpointResponse> for HttpTrack {
    type Output = Response<EndpointBody>;

    fn track(&self, response: EndpointResponse, in_flight: InFlight) -> Self::Output {
        let EndpointResponse { rsp, metrics, sent } = response;
        let load = Load {
            in_flight,
            metrics,
            outcome: None,
        };
        let account = Account::new(&rsp, sent, load);
        rsp.map(|body| Observed::new(body, account))
    }
}

impl Load {
    fn sample(&mut self, class: Class) {
        if self.outcome == Some(class) {
            return;
        }
        self.outcome = Some(class);
        let outcome = match class {
            Class::Success => Outcome::Success,
            Class::Failure => Outcome::Failure,
        };
        self.in_flight.first_byte(Instant::now(), outcome);
    }
}

impl Record for Load {
    fn first_byte(&mut self, class: Class) {
        self.sample(class);
    }

    fn done(&mut self, summary: &Summary) {
        // A failure told in the trailers came after the first byte had counted
        // as a success.
        if summary.class == Class::Failure {
            self.sample(Class::Failure);
        }
        summary.count(&self.metrics);
    }
}
