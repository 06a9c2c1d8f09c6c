//! The whole process on real sockets of the loopback interface.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use hyper_util::rt::TokioIo;
use linkerd2_proxy_api::identity::identity_client::IdentityClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tonic::transport::Endpoint;

use super::*;
use crate::ca;
use crate::credentials::peer_identity;
use crate::name::ServerId;
use crate::token::{AUDIENCE, LocalTokenKey};

mod rotation;

const HOUR: Duration = Duration::from_secs(3600);
/// For machines under load; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_millis(20);

/// An identity directory and a server on it.
struct Running {
    dir: tempfile::TempDir,
    tokens: LocalTokenKey,
    grpc: SocketAddr,
    admin: SocketAddr,
    name: IdentityName,
    stop: oneshot::Sender<()>,
    done: JoinHandle<Result<(), Error>>,
}

fn config(dir: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        admin: "127.0.0.1:0".parse().unwrap(),
        trust_anchors: dir.join(ca::TRUST_ANCHORS),
        issuer: IssuerFiles {
            certificate: dir.join(ca::ISSUER_CERTIFICATE),
            key: dir.join(ca::ISSUER_KEY),
        },
        tokens: Tokens::Local(dir.join(crate::token::local::TOKEN_PUBLIC_KEY)),
        audiences: vec![AUDIENCE.to_owned()],
        mesh: Mesh {
            namespace: "mesh".to_owned(),
            trust_domain: "cluster.local".to_owned(),
        },
        service_account: "mesh-identity".to_owned(),
        validity: Validity::default(),
        poll_interval: SOON,
        grace_period: Duration::from_secs(5),
        limits: Limits::default(),
        metrics: crate::metrics::install(),
    }
}

fn identity_dir() -> (tempfile::TempDir, LocalTokenKey) {
    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
    let tokens = LocalTokenKey::create(dir.path()).unwrap();
    (dir, tokens)
}

async fn start(change: impl FnOnce(&mut Config)) -> Running {
    let (dir, tokens) = identity_dir();
    let mut config = config(dir.path());
    change(&mut config);
    let server = Server::bind(config).await.unwrap();
    let (grpc, admin, name) = (
        server.grpc_addr(),
        server.admin_addr(),
        server.name().clone(),
    );
    let (stop, stopped) = oneshot::channel();
    let done = tokio::spawn(server.run(async { drop(stopped.await) }));
    Running {
        dir,
        tokens,
        grpc,
        admin,
        name,
        stop,
        done,
    }
}

impl Running {
    fn trust(&self) -> TrustBundle {
        TrustBundle::watch_file(self.dir.path().join(ca::TRUST_ANCHORS), SOON).unwrap()
    }

    fn token_file(&self, service_account: &str) -> PathBuf {
        let path = self.dir.path().join(format!("{service_account}.token"));
        let token = self
            .tokens
            .sign("shop", service_account, AUDIENCE, HOUR)
            .unwrap();
        fs::write(&path, token).unwrap();
        path
    }

    /// Credentials kept fresh over plaintext gRPC, as a proxy on this machine does.
    async fn workload(&self, service_account: &str) -> (Credentials, JoinSet<()>) {
        let name = IdentityName::new(service_account, "shop", "mesh", "cluster.local").unwrap();
        let credentials = Credentials::new(name, self.trust());
        let channel = Endpoint::from_shared(format!("http://{}", self.grpc))
            .unwrap()
            .connect_lazy();
        let settings = certify::Settings {
            min_refresh: SOON,
            max_refresh: SOON,
            ..Default::default()
        };
        let running = certify::run(
            credentials.clone(),
            self.token_file(service_account),
            IdentityClient::new(channel),
            settings,
            (),
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { match running.await {} });
        let mut ready = credentials.ready();
        tokio::time::timeout(PATIENCE, ready.wait_for(|ready| *ready))
            .await
            .unwrap()
            .unwrap();
        (credentials, tasks)
    }

    async fn get(&self, path: &str) -> String {
        let mut tcp = TcpStream::connect(self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(SOON).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn admin_tells_life_readiness_and_metrics() {
    let running = start(|_| ()).await;
    let (_web, _tasks) = running.workload("web").await;
    assert!(running.get("/live").await.starts_with("HTTP/1.1 200"));
    until("ready", async || {
        running.get("/ready").await.starts_with("HTTP/1.1 200")
    })
    .await;
    let metrics = running.get("/metrics").await;
    for line in [
        "identity_certificates_total{result=\"ok\"}",
        "identity_certificates_total{result=\"failed_precondition\"}",
        "issuer_cert_ttl_seconds 31",
        "identity_issuer_expiration_timestamp_seconds 1",
        "identity_issuer_loads_total{result=\"ok\"}",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(running.get("/other").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn shutdown_waits_for_nobody_and_frees_the_port() {
    let running = start(|_| ()).await;
    let (_web, tasks) = running.workload("web").await;
    running.stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, running.done)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    drop(tasks);
    assert!(TcpStream::connect(running.grpc).await.is_err());
    assert!(TcpStream::connect(running.admin).await.is_err());
}

/// What the kernel calls loopback is plaintext, so another address is needed here.
#[tokio::test]
async fn connections_from_elsewhere_must_be_tls_of_the_service() {
    let Some(ip) = outer_address() else { return };
    let running = start(|config| config.listen = SocketAddr::new(ip, 0)).await;
    until("ready", async || {
        running.get("/ready").await.contains(" 200 ")
    })
    .await;
    let name = IdentityName::new("web", "shop", "mesh", "cluster.local").unwrap();
    let web = Credentials::new(name, running.trust());
    let connect = async |server: &IdentityName| {
        let tcp = TcpStream::connect(running.grpc).await.unwrap();
        let config = web.anonymous_client_config(&ServerId::from(server), vec![b"h2".to_vec()]);
        TlsConnector::from(config)
            .connect(server.server_name(), tcp)
            .await
    };
    let tls = connect(&running.name).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert!(certified_over(tls, &web, running.token_file("web")).await);
    let other = IdentityName::new("mesh-destination", "mesh", "mesh", "cluster.local").unwrap();
    assert!(connect(&other).await.is_err());

    let mut plain = TcpStream::connect(running.grpc).await.unwrap();
    plain
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(answer.len() < 16, "an alert at most: {answer:?}");
}

/// Runs the certify loop over a connection until the first certificate.
async fn certified_over(
    tls: tokio_rustls::client::TlsStream<TcpStream>,
    web: &Credentials,
    token: PathBuf,
) -> bool {
    let mut once = Some(TokioIo::new(tls));
    let connector = tower::service_fn(move |_| {
        let io = once
            .take()
            .ok_or_else(|| io::Error::other("connected once already"));
        async { io }
    });
    let channel = Endpoint::from_static("http://identity").connect_with_connector_lazy(connector);
    let client = IdentityClient::new(channel);
    let running = certify::run(web.clone(), token, client, certify::Settings::default(), ());
    let mut ready = web.ready();
    tokio::select! {
        never = running => match never {},
        ready = ready.wait_for(|ready| *ready) => ready.is_ok(),
        () = tokio::time::sleep(PATIENCE) => false,
    }
}

/// An address of this machine that is not loopback, if it has one.
fn outer_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_named() {
    let start = async |change: &dyn Fn(&mut Config, &Path)| {
        let (dir, _tokens) = identity_dir();
        let mut config = config(dir.path());
        change(&mut config, dir.path());
        Server::bind(config)
            .await
            .err()
            .expect("it can't start")
            .to_string()
    };
    let taken = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let holder = TcpListener::bind(taken).await.unwrap();
    for (error, why) in [
        (
            start(&|_, dir| fs::remove_file(dir.join("ca.crt")).unwrap()).await,
            "ca.crt",
        ),
        (
            start(&|_, dir| fs::write(dir.join("ca.crt"), "x").unwrap()).await,
            "no certificate",
        ),
        (
            start(&|_, dir| fs::remove_file(dir.join("issuer.key")).unwrap()).await,
            "issuer.key",
        ),
        (
            start(&|_, dir| fs::write(dir.join("issuer.crt"), "").unwrap()).await,
            "issuer.crt is empty",
        ),
        (
            start(&|_, dir| fs::write(dir.join("token.pub"), "x").unwrap()).await,
            "token.pub is not a PEM",
        ),
        (
            start(&|c, _| c.mesh.namespace = "no space".to_owned()).await,
            "namespace of an identity",
        ),
        (
            start(&|c, _| c.listen = taken).await,
            "Address already in use",
        ),
    ] {
        assert!(error.contains(why), "{error}");
    }
    drop(holder);
}
