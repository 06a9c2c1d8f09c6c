//! Over real sockets on loopback; where nothing is connected, with a paused clock.

use super::*;
use crate::{
    control::{Backoff, ControlAddr, dns::fake::FakeDns, observe::RecordType},
    discovery::fake::FakeControl,
    policy::Target,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use linkerd2_proxy_api::destination::{
    DestinationProfile, GetDestination, destination_client::DestinationClient,
};
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tonic::{Code, Status};

/// What a client told about itself.
#[derive(Default)]
struct Seen {
    connects: Mutex<Vec<bool>>,
    requests: AtomicU64,
    codes: Mutex<Vec<Code>>,
}

impl ControlObserver for Seen {
    fn dns(&self, _: RecordType, _: bool) {}

    fn connect(&self, ok: bool) {
        self.connects.lock().push(ok);
    }

    fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn response(&self, code: Code, _: Duration) {
        self.codes.lock().push(code);
    }
}

/// A control plane behind a socket; dropping it closes its connections.
struct Listening {
    addr: SocketAddr,
    control: FakeControl,
    _connections: JoinSet<()>,
}

async fn listen() -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let control = FakeControl::new();
    let service = control
        .channel()
        .map_request(|request: http::Request<hyper::body::Incoming>| request.map(Body::new));
    let service = TowerToHyperService::new(service);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (io, _) = listener.accept().await.unwrap();
            let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            connections.spawn(http2.serve_connection(TokioIo::new(io), service.clone()));
        }
    });
    Listening {
        addr,
        control,
        _connections: tasks,
    }
}

fn client(target: &str, dns: &FakeDns, tls: Option<ControlTls>) -> (ControlClient, Arc<Seen>) {
    let mut config = ControlConfig::new(ControlAddr {
        target: Target::parse(target, 0).unwrap(),
        identity: None,
    });
    let (min, max) = (Duration::from_millis(100), Duration::from_secs(10));
    config.backoff = Backoff::new(min, max, 0.0).unwrap();
    let seen = Arc::new(Seen::default());
    let dns = Arc::new(dns.clone());
    (ControlClient::new(config, tls, dns, seen.clone()), seen)
}

/// Asks for a profile and reads the stream to its end.
async fn ask(client: &ControlClient) -> Result<Vec<DestinationProfile>, Status> {
    let mut client = DestinationClient::new(client.channel());
    let mut stream = client
        .get_profile(GetDestination::default())
        .await?
        .into_inner();
    let mut all = Vec::new();
    while let Some(profile) = stream.message().await? {
        all.push(profile);
    }
    Ok(all)
}

/// Answers one call with one profile and ends the stream.
async fn serve_one(control: &FakeControl) {
    drop(control.profiles.answer(DestinationProfile::default()).await);
}

#[tokio::test]
async fn requests_share_a_connection_and_are_counted_by_their_status() {
    let server = listen().await;
    let (client, seen) = client(&server.addr.to_string(), &FakeDns::default(), None);
    let (answer, ()) = tokio::join!(ask(&client), serve_one(&server.control));
    assert_eq!(answer.unwrap().len(), 1);
    let refuse = server
        .control
        .profiles
        .refuse(Status::not_found("no such service"));
    let (answer, ()) = tokio::join!(ask(&client), refuse);
    assert_eq!(answer.unwrap_err().message(), "no such service");
    assert_eq!(*seen.connects.lock(), [true]);
    assert_eq!(seen.requests.load(Ordering::Relaxed), 2);
    assert_eq!(
        *seen.codes.lock(),
        [Code::Ok, Code::NotFound],
        "in trailers and in headers"
    );
}

#[tokio::test]
async fn a_server_that_moved_is_found_again_by_dns() {
    let dns = FakeDns::default();
    dns.set("dst.mesh", ["127.0.0.1"]);
    let (client, seen) = client("dst.mesh:8086", &dns, None);
    for _ in 0..2 {
        let server = listen().await;
        dns.set_srv("dst.mesh", [("dst.mesh", server.addr.port())]);
        let served = async {
            serve_one(&server.control).await;
            // The next call is never answered: the server goes away instead.
            drop(server.control.profiles.next().await);
        };
        let asked = async {
            ask(&client).await.unwrap();
            ask(&client).await.unwrap_err()
        };
        tokio::join!(asked, served);
        drop(server);
        // The client must have noticed before it asks the next server.
        let gone = || {
            client
                .0
                .state
                .try_lock()
                .unwrap()
                .sender
                .as_ref()
                .unwrap()
                .is_closed()
        };
        while !gone() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(*seen.connects.lock(), [true, true]);
}

#[tokio::test]
async fn an_address_that_refuses_hides_no_other() {
    let server = listen().await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead_port = dead.local_addr().unwrap().port();
    drop(dead);
    let dns = FakeDns::default();
    dns.set("dst.mesh", ["127.0.0.1"]);
    dns.set_srv(
        "dst.mesh",
        [("dst.mesh", dead_port), ("dst.mesh", server.addr.port())],
    );
    // Whichever address each client starts with.
    for _ in 0..8 {
        let (client, seen) = client("dst.mesh:1", &dns, None);
        let (answer, ()) = tokio::join!(ask(&client), serve_one(&server.control));
        answer.unwrap();
        assert_eq!(*seen.connects.lock(), [true]);
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_spaced_and_shared_by_all_who_wait() {
    let (client, seen) = client("dst.mesh:8086", &FakeDns::default(), None);
    let start = Instant::now();
    for expected in [0, 100, 300, 700] {
        let asks = (0..10).map(|_| ask(&client));
        for answer in futures::future::join_all(asks).await {
            let message = answer.unwrap_err().message().to_owned();
            let expected = "the control plane at dst.mesh:8086 is not reachable: \
                            dst.mesh is unknown to DNS";
            assert_eq!(message, expected);
        }
        assert_eq!(start.elapsed(), Duration::from_millis(expected));
    }
    assert_eq!(
        *seen.connects.lock(),
        [false; 4],
        "one attempt for each ten requests"
    );
    assert_eq!(*seen.codes.lock(), [Code::Unavailable; 40]);
}

#[tokio::test(start_paused = true)]
async fn a_remote_service_needs_an_identity() {
    let (client, _) = client("192.0.2.1:8086", &FakeDns::default(), None);
    let err = ask(&client).await.unwrap_err();
    assert!(
        err.message()
            .contains("192.0.2.1:8086 is not a loopback address"),
        "{err}"
    );
}

#[tokio::test(start_paused = true)]
async fn mutual_tls_waits_for_the_first_certificate() {
    let provider = mesh_identity::crypto::provider();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let (ready_tx, ready) = watch::channel(false);
    let tls = ControlTls {
        config: Arc::new(config),
        server_name: "dst.mesh".try_into().unwrap(),
        ready: Some(ready),
    };
    let dns = FakeDns::default();
    let (client, seen) = client("dst.mesh:8086", &dns, Some(tls));
    let mut asking = tokio_test::task::spawn(ask(&client));
    tokio_test::assert_pending!(asking.poll());
    assert_eq!(dns.queries(), 0, "nothing is tried yet");
    ready_tx.send_replace(true);
    assert!(asking.is_woken());
    asking.await.unwrap_err();
    assert_eq!(
        *seen.connects.lock(),
        [false],
        "now it is, and fails by DNS"
    );
}
