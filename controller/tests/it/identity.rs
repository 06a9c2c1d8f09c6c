//! The controller's certificate, from a real identity service.

use crate::mesh::soon;
use mesh_controller::{IdentityError, IdentitySource};
use mesh_identity::{
    ca,
    issuer::{IssuerFiles, Validity},
    server::{Config, Limits, Server},
    service::Mesh,
    token::{self, LocalTokenKey},
    trust,
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

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
        token_key: dir.join(token::local::TOKEN_PUBLIC_KEY),
        audiences: vec![token::AUDIENCE.to_owned()],
        mesh: Mesh {
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
        addr,
        token,
        trust_anchors,
        service_account: "mesh-destination".to_owned(),
        server_account: "mesh-identity".to_owned(),
        namespace: "mesh".to_owned(),
        trust_domain: "cluster.local".to_owned(),
    }
}

#[tokio::test]
async fn a_certificate_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
    let key = LocalTokenKey::create(dir.path()).unwrap();
    let life = Duration::from_secs(3600);
    let token = key
        .sign("mesh", "mesh-destination", token::AUDIENCE, life)
        .unwrap();
    let token_file = dir.path().join("token");
    fs::write(&token_file, token).unwrap();
    let server = Server::bind(server(dir.path())).await.unwrap();
    let source = source(
        server.grpc_addr(),
        token_file,
        dir.path().join(ca::TRUST_ANCHORS),
    );
    let _serving = tokio::spawn(server.run(std::future::pending()));
    let credentials = source.start().unwrap();
    soon(credentials.ready().wait_for(|ready| *ready))
        .await
        .unwrap();
    assert!(credentials.expiry().is_some());
    let name = "mesh-destination.mesh.serviceaccount.identity.mesh.cluster.local";
    assert_eq!(credentials.name().as_str(), name);
}

#[tokio::test]
async fn without_trust_anchors_there_is_none() {
    let addr = SocketAddr::from(([127, 0, 0, 1], 1));
    let missing = source(addr, "token".into(), "/no/such/ca.crt".into()).start();
    assert!(matches!(missing, Err(IdentityError::Trust(_))));
}
