use super::*;
use crate::config::{LogConfig, LogFormat};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    net::TcpStream,
    time::Instant,
};

const LOOPBACK: &str = "127.0.0.1:50000";
const REMOTE: &str = "10.0.0.9:50000";

fn parts() -> Parts {
    let config = LogConfig {
        filter: log::Filter::default(),
        format: LogFormat::Plain,
    };
    let (_, handle) = log::subscriber(&config, io::sink);
    Parts {
        metrics: Metrics::default(),
        ready: Readiness::default(),
        log: Some(handle),
        settings: Settings::default(),
        vars: Vars::new(),
        shutdown: Shutdown::default(),
    }
}

fn config(shutdown_enabled: bool) -> AdminConfig {
    AdminConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        shutdown_enabled,
        max_connections: 2,
        header_read_timeout: Duration::from_secs(10),
    }
}

fn state(parts: &Parts, shutdown_enabled: bool) -> Arc<State> {
    Arc::new(State {
        config: config(shutdown_enabled),
        parts: parts.clone(),
    })
}

/// A connection to a server in this task's runtime.
fn connect(state: &Arc<State>, client: &str) -> DuplexStream {
    let (ours, theirs) = duplex(1 << 20);
    let (client, state) = (client.parse().unwrap(), state.clone());
    tokio::spawn(async move { serve(TokioIo::new(theirs), client, state).await });
    ours
}

/// The status line's code, headers and body of the answer to one request.
async fn ask(
    state: &Arc<State>,
    client: &str,
    method: &str,
    path: &str,
    body: &str,
) -> (u16, String) {
    let mut io = connect(state, client);
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    io.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

#[tokio::test(start_paused = true)]
async fn probes_tell_what_is_waited_for() {
    let parts = parts();
    let state = state(&parts, false);
    let certificate = parts.ready.wait_for("the first certificate");
    let listener = parts.ready.wait_for("the inbound listener");
    assert_eq!(ask(&state, REMOTE, "GET", "/live", "").await.0, 200);
    listener.done();
    let (status, answer) = ask(&state, REMOTE, "GET", "/ready", "").await;
    assert_eq!(status, 503);
    assert!(
        answer.ends_with("not ready: waiting for the first certificate\n"),
        "{answer}"
    );
    certificate.done();
    assert_eq!(ask(&state, REMOTE, "GET", "/ready", "").await.0, 200);
    parts.ready.stop();
    let (status, answer) = ask(&state, REMOTE, "GET", "/ready", "").await;
    assert!(status == 503 && answer.contains("stopping"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn what_failed_to_get_ready_stays_unready() {
    let ready = Readiness::default();
    drop(ready.wait_for("the policy"));
    assert_eq!(ready.reason().unwrap(), "waiting for the policy");
}

#[tokio::test(start_paused = true)]
async fn pages() {
    let mut parts = parts();
    parts.vars.insert("MESH_PROXY_LOG".into(), "info".into());
    parts
        .metrics
        .http_endpoint(&crate::metrics::Labels::new())
        .request();
    let state = state(&parts, false);
    for (path, expected) in [
        ("/", "/proxy-log-level"),
        ("/metrics", "\nrequest_total 1\n"),
        ("/metrics", "content-type: text/plain; version=0.0.4"),
        ("/metrics?x=1", "process_threads"),
        ("/env.json", "\"MESH_PROXY_LOG\": \"info\""),
        ("/config", "200 OK"),
    ] {
        let (status, answer) = ask(&state, REMOTE, "GET", path, "").await;
        assert!(
            status == 200 && answer.contains(expected),
            "{path}: {answer}"
        );
    }
    let (status, answer) = ask(&state, REMOTE, "GET", "/metric", "").await;
    assert!(status == 404 && answer.contains("/metrics"), "{answer}");
    let (status, answer) = ask(&state, REMOTE, "POST", "/live", "").await;
    assert!(
        status == 405 && answer.contains("allow: GET, HEAD"),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_log_level_is_read_and_set_from_loopback_only() {
    let parts = parts();
    let state = state(&parts, false);
    let path = "/proxy-log-level";
    let (_, answer) = ask(&state, LOOPBACK, "GET", path, "").await;
    assert!(
        answer.ends_with("warn,mesh=info,hickory=error\n"),
        "{answer}"
    );
    let (status, _) = ask(&state, "[::1]:1", "PUT", path, "debug,linkerd=trace\n").await;
    assert_eq!(status, 200);
    let current = parts.log.as_ref().unwrap().current().to_string();
    assert_eq!(current, "debug,mesh=trace");
    let (status, answer) = ask(&state, LOOPBACK, "PUT", path, "loud").await;
    assert!(
        status == 400 && answer.contains("\"loud\" is no log directive"),
        "{answer}"
    );
    assert_eq!(
        ask(&state, LOOPBACK, "PUT", path, &"x".repeat(5000))
            .await
            .0,
        413
    );
    let (status, answer) = ask(&state, REMOTE, "PUT", path, "info").await;
    assert!(status == 403 && answer.contains("loopback"), "{answer}");
    assert_eq!(ask(&state, REMOTE, "GET", path, "").await.0, 403);
    assert_eq!(parts.log.as_ref().unwrap().current().to_string(), current);
}

#[tokio::test(start_paused = true)]
async fn shutdown_needs_the_setting_and_loopback() {
    let parts = parts();
    let (off, on) = (state(&parts, false), state(&parts, true));
    let (status, answer) = ask(&off, LOOPBACK, "POST", "/shutdown", "").await;
    assert!(
        status == 403 && answer.contains("SHUTDOWN_ENDPOINT_ENABLED"),
        "{answer}"
    );
    assert_eq!(ask(&on, REMOTE, "POST", "/shutdown", "").await.0, 403);
    assert_eq!(ask(&on, LOOPBACK, "GET", "/shutdown", "").await.0, 405);
    let requested = tokio_test::task::spawn(parts.shutdown.requested()).poll();
    assert!(requested.is_pending());
    assert_eq!(ask(&on, LOOPBACK, "POST", "/shutdown", "").await.0, 200);
    parts.shutdown.requested().await;
}

#[tokio::test(start_paused = true)]
async fn slow_clients_are_cut_off() {
    let state = state(&parts(), false);
    for half in [
        "",
        "GET /live HTTP/1.1\r\nhost: ",
        "GET /live HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut io = connect(&state, REMOTE);
        let start = Instant::now();
        io.write_all(half.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        io.read_to_end(&mut answer).await.unwrap();
        assert!(start.elapsed() <= Duration::from_secs(11), "{half:?}");
    }
    let mut io = connect(&state, LOOPBACK);
    io.write_all(b"PUT /proxy-log-level HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nin")
        .await
        .unwrap();
    let mut answer = vec![0; 12];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test(start_paused = true)]
async fn large_headers_are_refused() {
    let state = state(&parts(), false);
    let mut io = connect(&state, REMOTE);
    let huge = format!(
        "GET /live HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(1 << 19)
    );
    io.write_all(huge.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 431");
}

/// The whole server, on its own thread.
#[tokio::test]
async fn it_answers_while_this_runtime_is_blocked_and_stops_when_dropped() {
    use std::io::{Read as _, Write as _};
    let admin = Admin::start(config(false), parts()).unwrap();
    let addr = admin.local_addr();
    let mut io = std::net::TcpStream::connect(addr).unwrap();
    io.write_all(b"GET /live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    // Blocks this runtime: only another thread can answer.
    io.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let taken = Admin::start(
        AdminConfig {
            listen: addr,
            ..config(false)
        },
        parts(),
    )
    .unwrap_err();
    assert!(taken.to_string().contains("ADMIN_LISTEN_ADDR"), "{taken}");
    drop(admin);
    while TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
