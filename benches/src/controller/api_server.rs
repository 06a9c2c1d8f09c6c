//! A Kubernetes API server for a cluster that does not exist: lists in pages and watches, made as they are asked for.
//!
//! The controller's tests have one too (`controller/tests/it/api_server.rs`), which keeps what a test applies, cuts its history and
//! goes away. This one keeps next to nothing, since 20 000 pods as JSON values are a gigabyte, and answers fast, since its time is in
//! the controller's time to start.

mod state;
mod written;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::state::{Kind, State, events, parameter};
use self::written::Written;
use super::cluster::Shape;
use super::pod;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How long a watch stands if the client does not say.
const WATCH: Duration = Duration::from_secs(300);

/// A running API server; gone when dropped.
#[derive(Debug)]
pub struct ApiServer {
    state: Arc<State>,
    addr: SocketAddr,
    serving: JoinHandle<()>,
}

impl ApiServer {
    /// Serves a cluster of this shape.
    ///
    /// # Errors
    /// When it can't listen.
    pub async fn start(shape: Shape) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(State {
            shape,
            pod: pod::template(),
            written: Written::default(),
            history: Mutex::default(),
            version: watch::Sender::new(1),
        });
        let serving = tokio::spawn(serve(listener, state.clone()));
        Ok(Self {
            state,
            addr,
            serving,
        })
    }

    /// A kubeconfig that leads here.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let server = format!("http://{}", self.addr);
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "clusters": [{"name": "bench", "cluster": {"server": server}}],
            "users": [{"name": "bench", "user": {"token": "bench"}}],
        })
        .to_string()
    }

    /// The roots that the injector has registered (PEM).
    #[must_use]
    pub fn roots(&self) -> Option<Vec<u8>> {
        self.state.written.roots()
    }

    /// The last endpoint of a service becomes ready, or no longer is.
    pub fn set_last_ready(&self, service: usize, ready: bool) {
        self.state.change(Kind::Slice, |shape, _, version| {
            shape.slice(service, ready, version)
        });
    }

    /// A pod is written again and says what it has said before, but for its version: a probe, a condition.
    pub fn touch_pod(&self, pod: usize) {
        self.state.change(Kind::Pod, |shape, template, version| {
            shape.pod(template, pod, version)
        });
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((tcp, _)) = listener.accept().await {
        tcp.set_nodelay(true).ok();
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(answer(&state, request).await) }
            });
            // A connection that fails is the client's business.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(tcp), service)
                .await;
        });
    }
}

async fn answer(state: &Arc<State>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if *request.method() == Method::GET {
        let found = state.written.read(&path).map(whole);
        return found.unwrap_or_else(|| listed_or_watched(state, request.uri()));
    }
    let body = request
        .into_body()
        .collect()
        .await
        .map(|body| body.to_bytes());
    match body.map(|body| serde_json::from_slice(&body)) {
        Ok(Ok(body)) => whole(state.written.write(&path, body)),
        _ => status(StatusCode::BAD_REQUEST),
    }
}

fn whole(text: String) -> Response<Body> {
    Response::new(Full::new(Bytes::from(text)).boxed_unsync())
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::default().boxed_unsync());
    *response.status_mut() = status;
    response
}

fn listed_or_watched(state: &Arc<State>, uri: &Uri) -> Response<Body> {
    let Some(kind) = Kind::at(uri.path()) else {
        return status(StatusCode::NOT_FOUND);
    };
    if parameter(uri, "watch").is_none() {
        return whole(state.list(kind, uri));
    }
    let number = |name| parameter(uri, name)?.parse::<u64>().ok();
    let time = number("timeoutSeconds").map_or(WATCH, Duration::from_secs);
    let from = number("resourceVersion").unwrap_or(1);
    let events = events(state.clone(), kind, from, Instant::now() + time);
    Response::new(StreamBody::new(events).boxed_unsync())
}
