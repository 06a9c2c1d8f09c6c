//! The injection webhook: how long a new pod waits for its proxy.
//!
//! Asked as API servers ask: over TLS, verified by the roots that the injector has registered, on connections that stay open. Each
//! asks again as soon as it has its answer, so the latencies are those of a busy injector: of a rollout of the whole cluster.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use mesh::local::progress::step;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::api_server::ApiServer;
use super::cluster::{Shape, namespace};
use super::pod;
use super::process::{Controller, Role};

/// Whatever it was.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Connections that ask; an API server has a few.
const CONNECTIONS: usize = 4;
/// In its certificate.
const NAME: &str = "mesh-injector.mesh.svc";
/// In nanoseconds: more than an answer may take.
const MINUTE: u64 = 60_000_000_000;

/// What the webhook took.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Of each answer, in nanoseconds.
    pub latency: Histogram<u64>,
    /// Answers in a second, of all connections.
    pub rate: f64,
    /// Processor time of the injector for each.
    pub cpu: Duration,
    /// Resident bytes of the injector afterwards.
    pub resident: u64,
}

/// Asks `reviews` times about the recorded pod.
///
/// # Errors
/// When the injector does not start, or an answer is not a patch.
pub async fn measure(program: &Path, folder: &Path, reviews: usize) -> Result<Answers, Failure> {
    step(&format!("Inject {reviews} pods"));
    let shape = Shape {
        namespaces: 1,
        ..Shape::EMPTY
    };
    let api = ApiServer::start(shape).await?;
    let injector = Controller::start(program, Role::Injector, &api, folder).await?;
    let tls = tls(&api.roots().ok_or("the injector has registered no roots")?)?;
    let review = Bytes::from(review().to_string());
    // Once to warm up, as the first pod is not what is asked about.
    ask(connect(injector.injector, &tls).await?, &review, 1).await?;

    let (before, started) = (injector.cpu(), Instant::now());
    let mut asking = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (connection, review) = (connect(injector.injector, &tls).await?, review.clone());
        asking.spawn(async move { ask(connection, &review, reviews / CONNECTIONS).await });
    }
    let mut latency = histogram();
    while let Some(asked) = asking.join_next().await {
        latency.add(asked??)?;
    }
    let answers = latency.len();
    Ok(Answers {
        rate: answers as f64 / started.elapsed().as_secs_f64(),
        cpu: injector
            .cpu()
            .saturating_sub(before)
            .div_f64(answers as f64),
        resident: injector.resident(),
        latency,
    })
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MINUTE, 3).expect("the bounds are in order")
}

fn tls(roots: &[u8]) -> Result<TlsConnector, Failure> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots) {
        store.add(root?)?;
    }
    let config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn connect(
    addr: SocketAddr,
    tls: &TlsConnector,
) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let tcp = TcpStream::connect(addr).await?;
    tcp.set_nodelay(true)?;
    let stream = tls.connect(NAME.try_into()?, tcp).await?;
    let (send, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender.
    tokio::spawn(connection);
    Ok(send)
}

/// The question that the API server has when somebody creates the recorded pod.
fn review() -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "5f2d9a3c-0000-4000-8000-000000000000", "operation": "CREATE", "namespace": namespace(0),
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"}, "object": pod::recorded(),
        },
    })
}

async fn ask(
    mut connection: SendRequest<Full<Bytes>>,
    review: &Bytes,
    times: usize,
) -> Result<Histogram<u64>, Failure> {
    let mut latency = histogram();
    for _ in 0..times {
        let request = Request::post("/inject?timeout=10s")
            .header("host", NAME)
            .header("content-type", "application/json")
            .body(Full::new(review.clone()))?;
        let asked = Instant::now();
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        latency.saturating_record(u64::try_from(asked.elapsed().as_nanos())?);
        injected(status, &answer)?;
    }
    Ok(latency)
}

fn injected(status: StatusCode, answer: &[u8]) -> Result<(), Failure> {
    let patched = serde_json::from_slice::<Value>(answer)
        .is_ok_and(|answer| answer.pointer("/response/patch").is_some());
    if status.is_success() && patched {
        return Ok(());
    }
    let said = String::from_utf8_lossy(answer);
    Err(format!("the webhook did not inject ({status}): {said}").into())
}
