//! The webhook: HTTP around [`super::review`].
//!
//! A pod can't start before its answer, so nothing here asks anybody: namespaces
//! come from memory ([`Cluster`]), where a new one may be waited for, and what can't
//! be decided is an HTTP error, for the API server to go by its `failurePolicy`.

use super::{
    Annotations, Config, Decision,
    review::{self, Outcome, Unanswerable},
};
use crate::metrics;
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Body, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// The API server takes objects of at most 3 MiB; an update carries two.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// API servers are few and keep connections.
const MAX_CONNECTIONS: usize = 256;
/// For a handshake, and for a request's headers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before accepting again when the system has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// What the webhook has to know of the cluster.
pub trait Cluster: Send + Sync + 'static {
    /// A namespace's annotations; `None` while it is not known.
    fn annotations(&self, namespace: &str) -> Option<Annotations>;

    /// Waits until a namespace is known, for as long as that may help.
    fn known(&self, namespace: &str) -> impl Future<Output = ()> + Send {
        let _ = namespace;
        std::future::ready(())
    }

    /// Is told of every decision, to make an event of it. Must not block.
    fn decided(&self, outcome: &Outcome) {
        let _ = outcome;
    }
}

/// The webhook of one controller.
#[derive(Debug)]
pub struct Webhook<C> {
    config: Arc<ArcSwap<Config>>,
    cluster: C,
}

impl<C: Cluster> Webhook<C> {
    /// With an install that was checked ([`Config::check`]).
    #[must_use]
    pub fn new(config: Config, cluster: C) -> Self {
        metrics::describe_injector();
        Self {
            config: Arc::new(ArcSwap::from_pointee(config)),
            cluster,
        }
    }

    /// For whoever puts another install in force.
    pub(crate) fn config(&self) -> Arc<ArcSwap<Config>> {
        self.config.clone()
    }

    /// Serves over TLS until dropped.
    pub async fn serve(self, listener: TcpListener, tls: Arc<ServerConfig>) {
        let (webhook, acceptor) = (Arc::new(self), TlsAcceptor::from(tls));
        let mut connections = JoinSet::new();
        loop {
            while connections.len() >= MAX_CONNECTIONS {
                connections.join_next().await;
            }
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((tcp, _)) => {
                        connections.spawn(webhook.clone().connection(tcp, acceptor.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "Can't accept a connection of the API server");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self: Arc<Self>, tcp: TcpStream, acceptor: TlsAcceptor) {
        let tls = match tokio::time::timeout(PATIENCE, acceptor.accept(tcp)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => {
                return tracing::debug!(%error, "TLS handshake with the webhook failed");
            }
            Err(_) => return tracing::debug!("TLS handshake with the webhook took too long"),
        };
        let service = service_fn(move |request| {
            let webhook = self.clone();
            async move { Ok::<_, Infallible>(webhook.handle(request).await) }
        });
        // A connection that fails is the client's business.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(tls), service)
            .await;
    }

    /// One request.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send,
    {
        if *request.method() != Method::POST {
            return text(StatusCode::METHOD_NOT_ALLOWED, "POST an AdmissionReview\n");
        }
        let body = Limited::new(request.into_body(), MAX_BODY).collect();
        match tokio::time::timeout(PATIENCE, body).await {
            Ok(Ok(body)) => self.answer(&body.to_bytes()).await,
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                text(StatusCode::PAYLOAD_TOO_LARGE, "more than 8 MiB\n")
            }
            Ok(Err(_)) => text(StatusCode::BAD_REQUEST, "the body ended early\n"),
            Err(_) => text(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
        }
    }

    async fn answer(&self, body: &[u8]) -> Response<Full<Bytes>> {
        let request = review::read(body);
        if let Ok(request) = &request
            && let Some(namespace) = request.needs_namespace()
        {
            self.cluster.known(namespace).await;
        }
        let namespaces = |name: &str| self.cluster.annotations(name);
        let answered =
            request.and_then(|request| review::answer(request, namespaces, &self.config.load()));
        let (answer, outcome) = match answered {
            Ok(answered) => answered,
            Err(error) => {
                metrics::injection_failed();
                tracing::warn!(%error, "Can't answer the API server about an injection");
                let status = match error {
                    Unanswerable::UnknownNamespace(_) => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::BAD_REQUEST,
                };
                return text(status, format!("{error}\n"));
            }
        };
        told(&outcome);
        self.cluster.decided(&outcome);
        let body = serde_json::to_vec(&answer).expect("an answer is JSON");
        let mut response = Response::new(Full::new(body.into()));
        let json = header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// Metric and log.
fn told(outcome: &Outcome) {
    let owner = outcome
        .owner
        .as_ref()
        .map_or("", |owner| owner.kind.as_str());
    metrics::injection(&outcome.namespace, owner, outcome.label());
    let (namespace, name) = (&outcome.namespace, &outcome.name);
    match &outcome.decision {
        Decision::Inject { warnings, .. } => {
            tracing::debug!(%namespace, %name, "Injected a proxy");
            for warning in warnings {
                tracing::warn!(%namespace, %name, %warning, "Injected a proxy with a warning");
            }
        }
        Decision::Skip(skip) if skip.is_unexpected() => {
            tracing::warn!(%namespace, %name, reason = skip.label(), why = %skip, "Injected no proxy");
        }
        Decision::Skip(skip) => {
            tracing::debug!(%namespace, %name, reason = skip.label(), "Injected no proxy");
        }
        Decision::Refuse(errors) => {
            for error in errors {
                tracing::warn!(%namespace, %name, %error, "Refused a pod");
            }
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests;
