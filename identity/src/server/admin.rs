//! `/live`, `/ready` and `/metrics`.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Scrapers and probes are few; more is a mistake or an attack.
const MAX_CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until dropped.
pub(super) async fn serve(
    listener: TcpListener,
    ready: watch::Receiver<bool>,
    metrics: Option<PrometheusHandle>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(connection(tcp, ready.clone(), metrics.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "Can't accept an admin connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(
    tcp: TcpStream,
    ready: watch::Receiver<bool>,
    metrics: Option<PrometheusHandle>,
) {
    let service = service_fn(move |request| {
        let response = answer(&request, *ready.borrow(), metrics.as_ref());
        async { Ok::<_, Infallible>(response) }
    });
    // A connection that fails is the client's business.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(tcp), service)
        .await;
}

fn answer<B>(
    request: &Request<B>,
    ready: bool,
    metrics: Option<&PrometheusHandle>,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match (request.uri().path(), metrics) {
        ("/live", _) => text(StatusCode::OK, "live\n"),
        ("/ready", _) if ready => text(StatusCode::OK, "ready\n"),
        ("/ready", _) => text(StatusCode::SERVICE_UNAVAILABLE, "no certificate yet\n"),
        ("/metrics", Some(metrics)) => text(StatusCode::OK, metrics.render()),
        _ => text(StatusCode::NOT_FOUND, "try /live, /ready or /metrics\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("text/plain; version=0.0.4"),
    );
    response
}
