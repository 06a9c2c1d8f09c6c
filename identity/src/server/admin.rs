//! `/live`, `/ready` and `/metrics` of a control-plane process, on a listener of
//! their own. The controller serves the same: it depends on this crate anyway.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use std::{convert::Infallible, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// Scrapers and probes are few; more is a mistake or an attack.
const MAX_CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// Before accepting again when the system has no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// What the answers depend on.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Whether the process can do its work.
    pub ready: watch::Receiver<bool>,
    /// Why it can't while that is false.
    pub unready: &'static str,
    /// What else there is to say of its state, as lines; `/ready` shows it in both cases.
    pub detail: Vec<watch::Receiver<String>>,
    /// What `/metrics` shows; without it, 404.
    pub metrics: Option<PrometheusHandle>,
}

impl Admin {
    /// Serves until dropped.
    pub async fn serve(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            while connections.len() >= MAX_CONNECTIONS {
                connections.join_next().await;
            }
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((tcp, _)) => {
                        connections.spawn(self.clone().connection(tcp));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "Can't accept an admin connection");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(self, tcp: TcpStream) {
        let service = service_fn(move |request| {
            let response = self.answer(&request);
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

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match (request.uri().path(), &self.metrics) {
            ("/live", _) => text(StatusCode::OK, "live\n"),
            ("/ready", _) => {
                let (status, state) = match *self.ready.borrow() {
                    true => (StatusCode::OK, "ready"),
                    false => (StatusCode::SERVICE_UNAVAILABLE, self.unready),
                };
                let detail = self.detail.iter().map(|lines| lines.borrow().clone());
                text(status, format!("{state}\n{}", detail.collect::<String>()))
            }
            ("/metrics", Some(metrics)) => text(StatusCode::OK, metrics.render()),
            _ => text(StatusCode::NOT_FOUND, "try /live, /ready or /metrics\n"),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = header::HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
