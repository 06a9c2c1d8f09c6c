//! The paths of the admin server.

use super::{
    State,
    answer::{Answer, text, typed},
    env_json,
};
use crate::log::Filter;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use std::net::SocketAddr;
use tracing::info;

/// Of a request's body; a log filter is the longest there is.
const MAX_BODY: usize = 4096;

/// A path, what may be done with it, and what it is for.
struct Path {
    path: &'static str,
    methods: &'static [Method],
    page: Page,
    help: &'static str,
}

#[derive(Clone, Copy)]
enum Page {
    Index,
    Live,
    Ready,
    Metrics,
    LogLevel,
    Env,
    Config,
    Shutdown,
}

const GET: &[Method] = &[Method::GET, Method::HEAD];

const fn path(
    path: &'static str,
    methods: &'static [Method],
    page: Page,
    help: &'static str,
) -> Path {
    Path {
        path,
        methods,
        page,
        help,
    }
}

const PATHS: [Path; 8] = [
    path("/", GET, Page::Index, "this list"),
    path("/live", GET, Page::Live, "200 while the process runs"),
    path(
        "/ready",
        GET,
        Page::Ready,
        "200 when traffic is served, else 503 and the reason",
    ),
    path("/metrics", GET, Page::Metrics, "Prometheus metrics"),
    path(
        "/proxy-log-level",
        &[Method::GET, Method::HEAD, Method::PUT],
        Page::LogLevel,
        "the log filter; PUT sets it (loopback only)",
    ),
    path(
        "/env.json",
        GET,
        Page::Env,
        "the proxy's environment variables",
    ),
    path(
        "/config",
        GET,
        Page::Config,
        "every setting in force and where it came from",
    ),
    path(
        "/shutdown",
        &[Method::POST],
        Page::Shutdown,
        "drains and stops the proxy (loopback only)",
    ),
];

/// Answers one request.
pub(super) async fn answer(
    request: Request<Incoming>,
    client: SocketAddr,
    state: &State,
) -> Answer {
    let Some(path) = PATHS.iter().find(|path| path.path == request.uri().path()) else {
        return text(
            StatusCode::NOT_FOUND,
            format!("no such path; there are:\n{}", index()),
        );
    };
    if !path.methods.contains(request.method()) {
        return wrong_method(path);
    }
    let parts = &state.parts;
    match path.page {
        Page::Index => text(StatusCode::OK, index()),
        Page::Live => text(StatusCode::OK, "live"),
        Page::Ready => match parts.ready.reason() {
            None => text(StatusCode::OK, "ready"),
            Some(reason) => {
                let reason = format!("not ready: {reason}");
                text(StatusCode::SERVICE_UNAVAILABLE, reason)
            }
        },
        Page::Metrics => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            typed(StatusCode::OK, kind, parts.metrics.render())
        }
        Page::LogLevel => log_level(request, client, state).await,
        Page::Env => typed(
            StatusCode::OK,
            "application/json",
            env_json::render(&parts.vars),
        ),
        Page::Config => text(StatusCode::OK, parts.settings.to_string()),
        Page::Shutdown => shutdown(client, state),
    }
}

fn index() -> String {
    let line = |path: &Path| {
        let methods: Vec<_> = path.methods.iter().map(Method::as_str).collect();
        format!(
            "{:<17} {:<15} {}\n",
            path.path,
            methods.join(" "),
            path.help
        )
    };
    PATHS.iter().map(line).collect()
}

fn wrong_method(path: &Path) -> Answer {
    let methods: Vec<_> = path.methods.iter().map(Method::as_str).collect();
    let allow = methods.join(", ");
    let help = format!("{} takes {allow}: {}", path.path, path.help);
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, help);
    let allow = HeaderValue::from_str(&allow).expect("methods are visible ASCII");
    answer.headers_mut().insert(header::ALLOW, allow);
    answer
}

async fn log_level(request: Request<Incoming>, client: SocketAddr, state: &State) -> Answer {
    if let Some(refusal) = remote(client) {
        return refusal;
    }
    let Some(log) = &state.parts.log else {
        return text(
            StatusCode::NOT_FOUND,
            "the log of this process has no filter",
        );
    };
    if request.method() != Method::PUT {
        return text(StatusCode::OK, log.current().to_string());
    }
    let body = match body(request, state).await {
        Ok(body) => body,
        Err((status, reason)) => return text(status, reason),
    };
    match body.trim().parse::<Filter>() {
        Ok(filter) => {
            info!(%filter, %client, "Log level changes");
            log.set(filter.clone());
            text(StatusCode::OK, filter.to_string())
        }
        Err(error) => text(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

/// The body as text, or the status and reason of the refusal.
async fn body(request: Request<Incoming>, state: &State) -> Result<String, (StatusCode, String)> {
    let body = Limited::new(request.into_body(), MAX_BODY).collect();
    let body = tokio::time::timeout(state.config.header_read_timeout, body);
    let bytes = match body.await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let reason = format!("the body is longer than {MAX_BODY} bytes");
            return Err((StatusCode::PAYLOAD_TOO_LARGE, reason));
        }
        Ok(Err(error)) => return Err((StatusCode::BAD_REQUEST, error.to_string())),
        Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "the body is slow".into())),
    };
    let text = String::from_utf8(bytes.into());
    text.map_err(|_| (StatusCode::BAD_REQUEST, "the body is no UTF-8".into()))
}

fn shutdown(client: SocketAddr, state: &State) -> Answer {
    if let Some(refusal) = remote(client) {
        return refusal;
    }
    if !state.config.shutdown_enabled {
        let hint = "shutdown is off; MESH_PROXY_SHUTDOWN_ENDPOINT_ENABLED=true turns it on";
        return text(StatusCode::FORBIDDEN, hint);
    }
    info!(%client, "Shutdown is asked for");
    state.parts.shutdown.request();
    text(StatusCode::OK, "draining")
}

/// Refuses clients that are not on this machine.
fn remote(client: SocketAddr) -> Option<Answer> {
    let hint = "only clients on loopback may do this; try `kubectl port-forward` or `kubectl exec`";
    (!client.ip().is_loopback()).then(|| text(StatusCode::FORBIDDEN, hint))
}
