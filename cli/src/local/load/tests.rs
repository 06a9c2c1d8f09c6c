use tokio::net::TcpListener;

use super::*;
use crate::local::app::behaviour::{Behaviour, Settings};
use crate::local::app::{self, App};

async fn app(failure_rate: f64) -> SocketAddr {
    let settings = Settings {
        base: Duration::ZERO,
        tail: Duration::ZERO,
        failure_rate,
        seed: 1,
    };
    let app = App::new("web-0", Behaviour::new(settings)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(app::serve(app, listener));
    addr
}

fn load(proxy: SocketAddr) -> Load {
    Load {
        proxy,
        http_authority: "web.demo.svc.cluster.local:80".to_owned(),
        grpc_authority: "web.demo.svc.cluster.local:50051".to_owned(),
        rps: 800.0,
    }
}

async fn run(proxy: SocketAddr) -> Stats {
    let stats = SharedStats::default();
    load(proxy)
        .run(Duration::from_millis(200), stats.clone())
        .await
        .unwrap();
    let stats = stats.lock();
    stats.clone()
}

#[test]
fn half_is_http_and_one_call_in_four_a_stream() {
    let count = |kind| (0..800).filter(|index| Kind::of(*index) == kind).count();
    assert_eq!(
        (count(Kind::Http), count(Kind::Say), count(Kind::Repeat)),
        (400, 300, 100)
    );
}

#[tokio::test]
async fn every_request_is_answered_and_counted() {
    let stats = run(app(0.0).await).await;
    assert_eq!(
        stats.total(),
        Count {
            requests: 160,
            failures: 0
        }
    );
    assert_eq!(stats.replicas()["web-0"].requests, 160);
    assert!(stats.quantile(0.5) > Duration::ZERO);
}

#[tokio::test]
async fn failures_have_a_cause() {
    let stats = run(app(1.0).await).await;
    assert_eq!(
        stats.total(),
        Count {
            requests: 160,
            failures: 160
        }
    );
    assert_eq!(stats.causes()["HTTP 503"], 80);
    assert_eq!(stats.causes()["gRPC Unavailable"], 80);
}

#[tokio::test]
async fn no_server_is_a_failure_of_every_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let stats = run(addr).await;
    assert_eq!(stats.total().failures, 160);
    assert!(stats.replicas().is_empty());
}
