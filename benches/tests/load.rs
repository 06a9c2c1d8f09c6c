//! Does the load generator tell the truth? Against servers whose latency is known, and against another generator.
#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use mesh_bench::case::Case;
use mesh_bench::load::{self, Load, Sample};
use tokio::net::TcpListener;

/// A server that answers its request number n after `wait(n)`.
fn server(wait: impl Fn(u32) -> Duration + Copy + Send + 'static) -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let count = Arc::new(AtomicU32::new(0));
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let count = count.clone();
                let answer = service_fn(move |_: Request<Incoming>| {
                    let wait = wait(count.fetch_add(1, Ordering::Relaxed));
                    async move {
                        tokio::time::sleep(wait).await;
                        Ok::<_, Infallible>(Response::new("b".repeat(100)))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
    });
    receiver.recv().unwrap()
}

fn run(target: SocketAddr, case: &str, window: Duration) -> Sample {
    let case: Case = case.parse().unwrap();
    let load = Load {
        target,
        authority: target.to_string(),
        case,
        warmup: Duration::from_millis(200),
        window,
    };
    let sample = load::run(&load, |_| ()).unwrap();
    assert_eq!(sample.failed, 0, "{:?}", sample.failure);
    sample
}

fn millis(sample: &Sample, quantile: f64) -> f64 {
    sample.latency.value_at_quantile(quantile) as f64 / 1e6
}

/// The mistake called coordinated omission would show one slow request of 200 and 199 quick ones.
#[test]
fn a_stall_is_charged_to_every_request_that_was_due() {
    let stall = |n| Duration::from_millis(if n == 101 { 400 } else { 0 });
    let sample = run(server(stall), "http1-1c-200rps", Duration::from_secs(1));
    assert!(
        (198.0..=202.0).contains(&sample.requests),
        "{}",
        sample.requests
    );
    // 80 requests were due in the stall and waited from 400 ms down to none: three in ten of all more than 100 ms.
    assert!(millis(&sample, 0.75) > 90.0, "{}", millis(&sample, 0.75));
    assert!(millis(&sample, 1.0) > 390.0, "{}", millis(&sample, 1.0));
}

#[test]
fn latency_and_throughput_are_the_servers() {
    let sample = run(
        server(|_| Duration::from_millis(20)),
        "http1-10c-max",
        Duration::from_secs(1),
    );
    assert!(millis(&sample, 0.0) >= 20.0);
    let expected = 10.0 / (sample.latency.mean() / 1e9);
    assert!(
        (sample.rps() / expected - 1.0).abs() < 0.2,
        "{} of {expected}",
        sample.rps()
    );
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    drop(listener);
    let load = Load {
        target,
        authority: target.to_string(),
        case: "http1-1c-max".parse().unwrap(),
        warmup: Duration::ZERO,
        window: Duration::from_millis(50),
    };
    assert!(load::run(&load, |_| ()).is_err());
}

/// Median in milliseconds and requests in a second, as oha sees them.
fn oha(target: SocketAddr) -> (f64, f64) {
    let program = std::env::var_os("MESH_OHA").expect("MESH_OHA is the path of oha");
    let output = Command::new(program)
        .args(["--no-tui", "--output-format=json", "-c=10", "-z=2s"])
        .arg(format!("http://{target}/100"))
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| said.pointer(name).and_then(serde_json::Value::as_f64);
    let p50 = number("/latencyPercentiles/p50").unwrap() * 1e3;
    (p50, number("/summary/requestsPerSec").unwrap())
}

/// Both against a server that takes its time, so that what is compared is not the speed of the machine.
#[test]
#[ignore = "needs oha; make bench-smoke has it"]
fn agrees_with_oha() {
    let target = server(|_| Duration::from_millis(20));
    // At the same time, so that both see the same machine.
    let theirs = std::thread::spawn(move || oha(target));
    let sample = run(target, "http1-10c-max", Duration::from_secs(2));
    let (p50, rps) = theirs.join().unwrap();
    let ratio = |ours: f64, theirs: f64| {
        assert!(
            (0.8..1.25).contains(&(ours / theirs)),
            "{ours} and {theirs} of oha"
        );
    };
    ratio(millis(&sample, 0.5), p50);
    ratio(sample.rps(), rps);
}
