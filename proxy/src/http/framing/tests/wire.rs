//! hyper's HTTP/1 server over a stream that arrives in pieces.

use crate::http::framing::{Guarded, Violation};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// A request as hyper saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Bytes read when its head was complete.
    pub(super) head_end: usize,
    pub(super) body: Vec<u8>,
    /// Whether its body came to its end.
    pub(super) complete: bool,
    /// Whether the connection closes after it.
    pub(super) closing: bool,
}

/// How the service answers a request that may make a tunnel.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Answer {
    Refuse,
    Switch,
    Connect,
}

/// What came of a connection.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) seen: Vec<Seen>,
    pub(super) written: Vec<u8>,
    pub(super) violation: Option<&'static str>,
    pub(super) tunnelled: Vec<u8>,
}

impl Served {
    pub(super) fn statuses(&self) -> Vec<u16> {
        let text = String::from_utf8_lossy(&self.written);
        let lines = text
            .split("\r\n")
            .filter_map(|line| line.strip_prefix("HTTP/1."));
        lines
            .filter(|line| !line.starts_with("1 100"))
            .map(|line| line[2..5].parse().unwrap())
            .collect()
    }
}

/// A client that sends pieces, then ends, and takes whatever is written.
struct Wire {
    pieces: VecDeque<Bytes>,
    paused: bool,
    read: Arc<AtomicUsize>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    fn new(bytes: &[u8], sizes: &[usize]) -> Self {
        let (mut pieces, mut rest) = (VecDeque::new(), bytes);
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            pieces.push_back(Bytes::copy_from_slice(piece));
            rest = more;
        }
        Self {
            pieces,
            paused: false,
            read: Arc::default(),
            written: Arc::default(),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.paused = !self.paused;
        if self.paused {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(mut piece) = self.pieces.pop_front() {
            let now = piece.split_to(piece.len().min(buf.remaining()));
            buf.put_slice(&now);
            self.read.fetch_add(now.len(), Ordering::Relaxed);
            if !piece.is_empty() {
                self.pieces.push_front(piece);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.lock().extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The requests hyper alone sees in `bytes`, which it reads one by one.
pub(super) async fn seen_unguarded(bytes: &[u8]) -> Vec<Seen> {
    let wire = Wire::new(bytes, &[1]);
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let service = recorder(seen.clone(), wire.read.clone());
    let _ = server().serve_connection(TokioIo::new(wire), service).await;
    let seen = seen.lock();
    seen.clone()
}

/// `bytes`, in pieces of the given sizes, through the guard to hyper.
pub(super) async fn serve(bytes: &str, sizes: &[usize]) -> Served {
    serve_with(bytes, sizes, Answer::Refuse).await
}

pub(super) async fn serve_with(bytes: impl AsRef<[u8]>, sizes: &[usize], answer: Answer) -> Served {
    let wire = Wire::new(bytes.as_ref(), sizes);
    let (written, read) = (wire.written.clone(), wire.read.clone());
    let (guarded, handle) = Guarded::new(wire);
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let record = recorder(seen.clone(), read);
    let (upgraded, tunnel) = tokio::sync::oneshot::channel();
    let upgraded = Mutex::new(Some(upgraded));
    let service = service_fn(|mut request: Request<Incoming>| {
        if let Some(status) = tunnel_status(&request, answer) {
            let upgrade = hyper::upgrade::on(&mut request);
            let _ = upgraded.lock().take().expect("one tunnel").send(upgrade);
            let response = Response::builder()
                .status(status)
                .body(Empty::new())
                .unwrap();
            return futures::future::Either::Left(async { Ok::<_, Infallible>(response) });
        }
        futures::future::Either::Right(record.call(request))
    });
    let service = handle.watch(service);
    let conn = server()
        .serve_connection(TokioIo::new(guarded), service)
        .with_upgrades();
    let ended = conn.await;
    let mut tunnelled = Vec::new();
    if answer != Answer::Refuse {
        ended.unwrap();
        let upgraded = tunnel.await.unwrap().await.unwrap();
        TokioIo::new(upgraded)
            .read_to_end(&mut tunnelled)
            .await
            .unwrap();
    }
    let (seen, written) = (seen.lock().clone(), written.lock().clone());
    Served {
        seen,
        written,
        violation: handle.violation(),
        tunnelled,
    }
}

fn tunnel_status(request: &Request<Incoming>, answer: Answer) -> Option<StatusCode> {
    match answer {
        Answer::Switch if request.headers().contains_key(header::UPGRADE) => {
            Some(StatusCode::SWITCHING_PROTOCOLS)
        }
        Answer::Connect if request.method() == Method::CONNECT => Some(StatusCode::OK),
        _ => None,
    }
}

fn server() -> http1::Builder {
    let mut server = http1::Builder::new();
    server.half_close(true).max_header_size(64 * 1024);
    server
}

/// Records each request; answers 200, 403 to CONNECT, 400 to a body that failed.
fn recorder(
    seen: Arc<Mutex<Vec<Seen>>>,
    read: Arc<AtomicUsize>,
) -> impl Service<Request<Incoming>, Response = Response<Empty<Bytes>>, Error = Infallible> {
    service_fn(move |request: Request<Incoming>| {
        let head_end = read.load(Ordering::Relaxed);
        let seen = seen.clone();
        async move {
            let connect = request.method() == Method::CONNECT;
            let closing = closes(&request);
            let (body, failed) = read_body(request.into_body()).await;
            let complete = failed.is_none();
            seen.lock().push(Seen {
                head_end,
                body,
                complete,
                closing,
            });
            let status = match failed {
                None if connect => StatusCode::FORBIDDEN,
                None => StatusCode::OK,
                Some(error) if Violation::in_error(&error).is_some() => StatusCode::BAD_REQUEST,
                Some(_) => StatusCode::BAD_GATEWAY,
            };
            Ok(Response::builder()
                .status(status)
                .body(Empty::new())
                .unwrap())
        }
    })
}

fn closes(request: &Request<Incoming>) -> bool {
    let mut tokens = request.headers().get_all(header::CONNECTION).into_iter();
    request.version() == http::Version::HTTP_10 || tokens.any(|value| value == "close")
}

async fn read_body(mut body: Incoming) -> (Vec<u8>, Option<hyper::Error>) {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(_trailers)) => {}
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}
