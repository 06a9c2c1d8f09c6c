//! A Kubernetes API server for a cluster that does not exist: lists in pages and watches, made as they are asked for.
//!
//! The controller's tests have one too (`controller/tests/it/api_server.rs`), which keeps what a test applies, cuts its history and
//! goes away. This one keeps next to nothing, since 20 000 pods as JSON values are a gigabyte, and answers fast, since its time is in
//! the controller's time to start.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::cluster::Shape;
use super::pod;
use super::template::Template;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Objects of one page if the client does not say.
const PAGE: usize = 500;
/// How long a watch stands if the client does not say.
const WATCH: Duration = Duration::from_secs(300);

/// A running API server; gone when dropped.
#[derive(Debug)]
pub struct ApiServer {
    state: Arc<State>,
    addr: SocketAddr,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    shape: Shape,
    pod: Template,
    history: Mutex<Vec<Event>>,
    /// The newest version: that of the objects before any change, and one more for each.
    version: watch::Sender<u64>,
}

#[derive(Clone, Debug)]
struct Event {
    kind: Kind,
    line: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Slice,
}

impl Kind {
    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/api/v1/namespaces" => Self::Namespace,
            "/api/v1/nodes" => Self::Node,
            "/api/v1/pods" => Self::Pod,
            "/api/v1/services" => Self::Service,
            "/apis/discovery.k8s.io/v1/endpointslices" => Self::Slice,
            _ => return None,
        })
    }
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

impl State {
    fn change(&self, kind: Kind, object: impl FnOnce(&Shape, &Template, u64) -> String) {
        let mut history = self.history.lock();
        let version = history.len() as u64 + 2;
        let object = object(&self.shape, &self.pod, version);
        let line = format!("{{\"type\":\"MODIFIED\",\"object\":{object}}}\n").into();
        history.push(Event { kind, line });
        drop(history);
        self.version
            .send_modify(|newest| *newest = version.max(*newest));
    }

    fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Namespace => self.shape.namespaces,
            Kind::Node => self.shape.nodes,
            Kind::Pod => self.shape.pods(),
            Kind::Service | Kind::Slice => self.shape.services,
        }
    }

    fn object(&self, kind: Kind, index: usize) -> String {
        match kind {
            Kind::Namespace => self.shape.namespace(index),
            Kind::Node => self.shape.node(index),
            Kind::Pod => self.shape.pod(&self.pod, index, 1),
            Kind::Service => self.shape.service(index),
            Kind::Slice => self.shape.slice(index, true, 1),
        }
    }

    /// One page of objects as they were before any change: what has changed since is told by the watch that follows.
    fn list(&self, kind: Kind, uri: &Uri) -> String {
        let number = |name| parameter(uri, name)?.parse::<usize>().ok();
        let from = number("continue").unwrap_or(0);
        let all = self.count(kind);
        let to = all.min(from + number("limit").unwrap_or(PAGE));
        let items: Vec<_> = (from..to).map(|index| self.object(kind, index)).collect();
        let more = if to < all {
            format!(",\"continue\":\"{to}\"")
        } else {
            String::new()
        };
        let items = items.join(",");
        format!(
            "{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"1\"{more}}},\"items\":[{items}]}}"
        )
    }

    /// The changes of a kind after a version, and the newest version.
    fn since(&self, kind: Kind, version: u64) -> (Bytes, u64) {
        let history = self.history.lock();
        let seen = usize::try_from(version).map_or(usize::MAX, |version| version.saturating_sub(1));
        let events = history.get(seen..).unwrap_or_default().iter();
        let lines = events
            .filter(|event| event.kind == kind)
            .map(|event| &event.line[..]);
        (
            lines.collect::<Vec<_>>().concat().into(),
            history.len() as u64 + 1,
        )
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((tcp, _)) = listener.accept().await {
        tcp.set_nodelay(true).ok();
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = answer(&state, &request);
                async { Ok::<_, Infallible>(response) }
            });
            // A connection that fails is the client's business.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(tcp), service)
                .await;
        });
    }
}

fn answer(state: &Arc<State>, request: &Request<Incoming>) -> Response<Body> {
    let uri = request.uri();
    let Some(kind) = Kind::at(uri.path()) else {
        let mut missing = Response::new(Full::default().boxed_unsync());
        *missing.status_mut() = http::StatusCode::NOT_FOUND;
        return missing;
    };
    if parameter(uri, "watch").is_none() {
        let list = state.list(kind, uri);
        return Response::new(Full::new(Bytes::from(list)).boxed_unsync());
    }
    let number = |name| parameter(uri, name)?.parse::<u64>().ok();
    let time = number("timeoutSeconds").map_or(WATCH, Duration::from_secs);
    let from = number("resourceVersion").unwrap_or(1);
    let events = events(state.clone(), kind, from, Instant::now() + time);
    Response::new(StreamBody::new(events).boxed_unsync())
}

fn events(
    state: Arc<State>,
    kind: Kind,
    from: u64,
    end: Instant,
) -> impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let versions = state.version.subscribe();
    stream::unfold((from, versions), move |(mut from, mut versions)| {
        let state = state.clone();
        async move {
            loop {
                let newer = versions.wait_for(|version| *version > from);
                timeout_at(end, newer).await.ok()?.ok()?;
                let (lines, newest) = state.since(kind, from);
                from = newest;
                if !lines.is_empty() {
                    return Some((Ok(Frame::data(lines)), (from, versions)));
                }
            }
        }
    })
}

fn parameter<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    let pairs = uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    values.next().map(|(_, value)| value)
}
