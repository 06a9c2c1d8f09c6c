use std::time::Duration;

use rustls::ProtocolVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::*;
use crate::ca;
use crate::issuer::Validity;
use crate::testing::{DAY, TestMesh, ca_options, load, name};

mod refused;

type ClientTls = client::TlsStream<DuplexStream>;
type ServerTls = server::TlsStream<DuplexStream>;

fn id(service_account: &str) -> ServerId {
    ServerId::from(&name(service_account))
}

async fn handshake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> (Result<ClientTls, String>, Result<ServerTls, String>) {
    let (near, far) = duplex(64 * 1024);
    let sni = name("web").server_name();
    let (client, server) = tokio::join!(
        TlsConnector::from(client).connect(sni, near),
        TlsAcceptor::from(server).accept(far),
    );
    (
        client.map_err(|e| e.to_string()),
        server.map_err(|e| e.to_string()),
    )
}

async fn echo(client: &mut ClientTls, server: &mut ServerTls) {
    client.write_all(b"ping").await.unwrap();
    client.flush().await.unwrap();
    let mut buf = [0; 4];
    server.read_exact(&mut buf).await.unwrap();
    server.write_all(&buf).await.unwrap();
    server.flush().await.unwrap();
    client.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"ping");
}

#[tokio::test]
async fn both_sides_learn_who_the_other_is() {
    let mesh = TestMesh::new();
    let (web, shopper) = (mesh.workload("web"), mesh.workload("shopper"));
    let alpn = vec![b"transport.l5d.io/v1".to_vec()];

    let (client, server) = handshake(
        shopper.client_config(&id("web"), alpn.clone()),
        web.server_config(alpn.clone()),
    )
    .await;
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    echo(&mut client, &mut server).await;

    let (_, tls) = server.get_ref();
    assert_eq!(
        peer_identity(tls.peer_certificates().unwrap()).unwrap(),
        name("shopper").as_str()
    );
    assert_eq!(tls.server_name(), Some(name("web").as_str()));
    assert_eq!(tls.alpn_protocol(), Some(alpn[0].as_slice()));
    let (_, tls) = client.get_ref();
    assert_eq!(
        peer_identity(tls.peer_certificates().unwrap()).unwrap(),
        name("web").as_str()
    );
    assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let group = tls.negotiated_key_exchange_group().unwrap();
    assert_eq!(group.name(), rustls::NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn a_client_without_certificate_has_no_identity() {
    let mesh = TestMesh::new();
    let web = mesh.workload("web");
    let uncertified = Credentials::new(name("shopper"), mesh.trust.clone());
    for config in [
        uncertified.client_config(&id("web"), vec![]),
        mesh.workload("shopper")
            .anonymous_client_config(&id("web"), vec![]),
    ] {
        let (client, server) = handshake(config, web.server_config(vec![])).await;
        client.unwrap();
        assert!(server.unwrap().get_ref().1.peer_certificates().is_none());
    }
}

#[tokio::test]
async fn a_server_can_be_named_by_spiffe_uri() {
    let mesh = TestMesh::new();
    let (web, shopper) = (mesh.workload("web"), mesh.workload("shopper"));
    let uri = |sa: &str| name(sa).spiffe_uri().parse::<ServerId>().unwrap();

    let right = shopper.client_config(&uri("web"), vec![]);
    assert!(handshake(right, web.server_config(vec![])).await.0.is_ok());
    let wrong = shopper.client_config(&uri("db"), vec![]);
    let error = handshake(wrong, web.server_config(vec![]))
        .await
        .0
        .unwrap_err();
    assert!(
        error.contains("spiffe://cluster.local/ns/shop/sa/db"),
        "{error}"
    );
}

#[tokio::test]
async fn rotation_of_root_issuer_and_certificates_drops_nothing() {
    let old = TestMesh::new();
    let (web, shopper) = (old.workload("web"), old.workload("shopper"));
    let left_behind = old.workload("left-behind");
    let (to_web, as_web) = (
        shopper.client_config(&id("web"), vec![]),
        web.server_config(vec![]),
    );
    let (client, server) = handshake(Arc::clone(&to_web), Arc::clone(&as_web)).await;
    let (mut client, mut server) = (client.unwrap(), server.unwrap());

    // Both roots; then a new issuer and new certificates; then only the new root.
    let new = ca::generate(&ca_options(), SystemTime::now()).unwrap();
    old.trust
        .replace_pem(&(old.made.root.pem() + &new.root.pem()))
        .unwrap();
    let issuer = load(&new, &old.trust, SystemTime::now());
    for workload in [&web, &shopper] {
        issuer
            .provision(workload, Validity::default(), SystemTime::now())
            .unwrap();
        let (near, far) = handshake(Arc::clone(&to_web), Arc::clone(&as_web)).await;
        echo(&mut near.unwrap(), &mut far.unwrap()).await;
    }
    old.trust.replace_pem(&new.root.pem()).unwrap();
    let (near, far) = handshake(Arc::clone(&to_web), Arc::clone(&as_web)).await;
    echo(&mut near.unwrap(), &mut far.unwrap()).await;

    echo(&mut client, &mut server).await;
    let (_, refused) = handshake(left_behind.client_config(&id("web"), vec![]), as_web).await;
    assert!(refused.unwrap_err().contains("not signed by any of our"));
}

/// Neither when only the other side would.
#[tokio::test]
async fn sessions_are_not_resumed() {
    let mesh = TestMesh::new();
    let (web, shopper) = (mesh.workload("web"), mesh.workload("shopper"));
    let (to_web, as_web) = (
        shopper.client_config(&id("web"), vec![]),
        web.server_config(vec![]),
    );
    let mut willing_server = (*as_web).clone();
    willing_server.session_storage = rustls::server::ServerSessionMemoryCache::new(10);
    willing_server.send_tls13_tickets = 2;
    let mut willing_client = (*to_web).clone();
    willing_client.resumption = Resumption::in_memory_sessions(10);
    let (willing_server, willing_client) = (Arc::new(willing_server), Arc::new(willing_client));

    assert!(second_is_full(&to_web, &willing_server).await);
    assert!(second_is_full(&willing_client, &as_web).await);
    assert!(
        !second_is_full(&willing_client, &willing_server).await,
        "the test can tell"
    );
}

async fn second_is_full(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> bool {
    let mut kind = None;
    for _ in 0..2 {
        let (near, far) = handshake(Arc::clone(client), Arc::clone(server)).await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        echo(&mut near, &mut far).await;
        kind = near.get_ref().1.handshake_kind();
    }
    kind == Some(rustls::HandshakeKind::Full)
}

#[tokio::test]
async fn before_the_first_certificate_nothing_is_served() {
    let mesh = TestMesh::new();
    let web = Credentials::new(name("web"), mesh.trust.clone());
    let (as_web, mut ready) = (web.server_config(vec![]), web.ready());
    let to_web = mesh.workload("shopper").client_config(&id("web"), vec![]);
    assert!(!*ready.borrow_and_update() && web.expiry().is_none());
    assert!(
        handshake(Arc::clone(&to_web), Arc::clone(&as_web))
            .await
            .0
            .is_err()
    );

    mesh.issuer
        .provision(&web, Validity::default(), SystemTime::now())
        .unwrap();
    assert!(ready.has_changed().unwrap() && *ready.borrow());
    let left = web
        .expiry()
        .unwrap()
        .duration_since(SystemTime::now())
        .unwrap();
    assert!(
        left > DAY && left < DAY + Duration::from_secs(60),
        "{left:?}"
    );
    assert!(handshake(to_web, as_web).await.0.is_ok());
}

#[test]
fn peer_identity_of_nothing_or_garbage_is_none() {
    assert_eq!(peer_identity(&[]), None);
    assert_eq!(peer_identity(&[vec![1, 2, 3].into()]), None);
}
