//! The controller's certificate, from a real identity service.

use crate::mesh::{Mesh, get, refused, soon};
use hyper_util::rt::TokioIo;
use linkerd2_proxy_api::destination::destination_client::DestinationClient;
use mesh_controller::{IdentityError, IdentitySource};
use mesh_identity::{
    Credentials, ServerId, ca,
    issuer::{IssuerFiles, Validity},
    server::{Config, Limits, Server, Tokens},
    service,
    token::{self, LocalTokenKey},
    trust,
};
use std::{
    fs, io,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{
    Code,
    transport::{Channel, Endpoint, Uri},
};

const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 80}]}}";

fn server(dir: &Path) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        listen: any,
        admin: any,
        trust_anchors: dir.join(ca::TRUST_ANCHORS),
        issuer: IssuerFiles {
            certificate: dir.join(ca::ISSUER_CERTIFICATE),
            key: dir.join(ca::ISSUER_KEY),
        },
        tokens: Tokens::Local(dir.join(token::local::TOKEN_PUBLIC_KEY)),
        audiences: vec![token::AUDIENCE.to_owned()],
        mesh: service::Mesh {
            namespace: "mesh".to_owned(),
            trust_domain: "cluster.local".to_owned(),
        },
        service_account: "mesh-identity".to_owned(),
        validity: Validity {
            lifetime: Duration::from_secs(3600),
            clock_skew: Duration::from_secs(20),
        },
        poll_interval: trust::POLL_INTERVAL,
        grace_period: Duration::ZERO,
        limits: Limits::default(),
        metrics: None,
    }
}

fn source(addr: SocketAddr, token: PathBuf, trust_anchors: PathBuf) -> IdentitySource {
    IdentitySource {
        addr: addr.into(),
        token,
        trust_anchors,
        service_account: "mesh-destination".to_owned(),
        server_account: "mesh-identity".to_owned(),
        namespace: "mesh".to_owned(),
        trust_domain: "cluster.local".to_owned(),
    }
}

/// An identity service, and what a controller needs to use it.
async fn pair(dir: &Path) -> (Server, IdentitySource) {
    ca::create_root_and_issuer(dir, &ca::Options::default()).unwrap();
    let key = LocalTokenKey::create(dir).unwrap();
    let life = Duration::from_secs(3600);
    let token = key.sign("mesh", "mesh-destination", token::AUDIENCE, life);
    let token_file = dir.join("token");
    fs::write(&token_file, token.unwrap()).unwrap();
    let server = Server::bind(server(dir)).await.unwrap();
    let source = source(server.grpc_addr(), token_file, dir.join(ca::TRUST_ANCHORS));
    (server, source)
}

#[tokio::test]
async fn a_certificate_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (server, source) = pair(dir.path()).await;
    let _serving = tokio::spawn(server.run(std::future::pending()));
    let credentials = source.start().unwrap();
    soon(credentials.ready().wait_for(|ready| *ready))
        .await
        .unwrap();
    assert!(credentials.expiry().is_some());
    let name = "mesh-destination.mesh.serviceaccount.identity.mesh.cluster.local";
    assert_eq!(credentials.name().as_str(), name);
}

/// An address of this machine that others would use.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing: only asks for the route.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

async fn secure_channel(addr: SocketAddr, credentials: &Credentials) -> Channel {
    let server = ServerId::from(credentials.name());
    let config = credentials.client_config(&server, vec![b"h2".to_vec()]);
    let name = credentials.name().server_name();
    let connect = tower::service_fn(move |_: Uri| {
        let (tls, name) = (TlsConnector::from(config.clone()), name.clone());
        async move {
            let tcp = TcpStream::connect(addr).await?;
            Ok::<_, io::Error>(TokioIo::new(tls.connect(name, tcp).await?))
        }
    });
    let endpoint = Endpoint::from_static("http://controller");
    soon(endpoint.connect_with_connector(connect))
        .await
        .unwrap()
}

#[tokio::test]
async fn other_machines_are_served_by_mutual_tls_only() {
    let Some(address) = own_address() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs an address besides loopback"
        );
        eprintln!("Not run: this machine has no address besides loopback");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (server, source) = pair(dir.path()).await;
    let _serving = tokio::spawn(server.run(std::future::pending()));
    let credentials = source.start().unwrap();
    soon(credentials.ready().wait_for(|ready| *ready))
        .await
        .unwrap();
    let mesh = Mesh::configured(SERVICE, |config| {
        config.credentials = Some(credentials.clone());
        config.destination_addr = SocketAddr::from(([0, 0, 0, 0], 0));
    })
    .await;
    let addr = SocketAddr::new(address, mesh.destination_addr().port());

    let mut client = DestinationClient::new(secure_channel(addr, &credentials).await);
    assert_eq!(refused(client.get(get("web.shop")).await), Code::Ok);
    let plain = Endpoint::from_shared(format!("http://{addr}"))
        .unwrap()
        .connect_lazy();
    let answer = soon(DestinationClient::new(plain).get(get("web.shop"))).await;
    assert!(answer.is_err(), "plaintext from another machine");
}

#[tokio::test]
async fn without_trust_anchors_there_is_none() {
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let missing = source(addr, "token".into(), "/no/such/ca.crt".into()).start();
    assert!(matches!(missing, Err(IdentityError::Trust(_))));
}
