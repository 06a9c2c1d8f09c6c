//! Against a real identity service on loopback.

use super::*;
use crate::{
    control::{DnsConfig, SystemResolver},
    policy::Target,
};
use mesh_identity::{ca, issuer, server, service::Mesh, token::local::LocalTokenKey};
use std::{net::SocketAddr, path::Path};
use tempfile::TempDir;
use tokio::{io::duplex, task::JoinSet};

const AUDIENCE: &str = "identity.mesh.dev";

/// A directory with a root, an issuer and a token key, and a service that uses them.
struct Service {
    dir: TempDir,
    addr: SocketAddr,
    tasks: JoinSet<()>,
}

async fn service() -> Service {
    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
    LocalTokenKey::create(dir.path()).unwrap();
    let path = |name: &str| dir.path().join(name);
    let config = server::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        admin: "127.0.0.1:0".parse().unwrap(),
        trust_anchors: path("ca.crt"),
        issuer: issuer::IssuerFiles {
            certificate: path("issuer.crt"),
            key: path("issuer.key"),
        },
        tokens: server::Tokens::Local(path("token.pub")),
        audiences: vec![AUDIENCE.into()],
        mesh: Mesh {
            namespace: "mesh".into(),
            trust_domain: "cluster.local".into(),
        },
        service_account: "mesh-identity".into(),
        validity: issuer::Validity::default(),
        poll_interval: POLL_INTERVAL,
        grace_period: Duration::ZERO,
        limits: server::Limits::default(),
        metrics: None,
    };
    let server = server::Server::bind(config).await.unwrap();
    let addr = server.grpc_addr();
    let mut tasks = JoinSet::new();
    tasks.spawn(async { server.run(std::future::pending()).await.unwrap() });
    Service { dir, addr, tasks }
}

fn control_addr(target: &str, identity: Option<&str>) -> ControlAddr {
    ControlAddr {
        target: Target::parse(target, 0).unwrap(),
        identity: identity.map(Into::into),
    }
}

fn name(account: &str) -> String {
    format!("{account}.shop.serviceaccount.identity.mesh.cluster.local")
}

fn config(account: &str, service: &ControlAddr, dir: &Path) -> IdentityConfig {
    IdentityConfig {
        name: name(account).into(),
        trust_anchors: TrustAnchors::File(dir.join("ca.crt")),
        token_file: dir.join(format!("{account}.token")),
        service: ControlConfig::new(service.clone()),
        min_refresh: Duration::from_secs(10),
        max_refresh: Duration::from_secs(24 * 3600),
    }
}

/// An identity that has got its certificate from the service.
async fn certified(service: &mut Service, account: &str) -> Identity {
    let dir = service.dir.path();
    let key = LocalTokenKey::load(&dir.join("token.key")).unwrap();
    let token = key.sign("shop", account, AUDIENCE, Duration::from_secs(60));
    std::fs::write(dir.join(format!("{account}.token")), token.unwrap()).unwrap();
    let addr = control_addr(&service.addr.to_string(), None);
    let identity = Identity::new(config(account, &addr, dir)).unwrap();
    let dns = Arc::new(SystemResolver::new(DnsConfig::default()).unwrap());
    let run = identity.clone().run(dns, Arc::new(()), ());
    service.tasks.spawn(async {
        run.await.unwrap();
    });
    let mut ready = identity.credentials().ready();
    ready.wait_for(|ready| *ready).await.unwrap();
    identity
}

#[tokio::test]
async fn a_certificate_is_fetched_and_good_for_mutual_tls() {
    let mut service = service().await;
    let client = certified(&mut service, "client").await;
    let web = certified(&mut service, "web").await;
    assert!(client.credentials().expiry().is_some());

    for (asked, ok) in [("web", true), ("other", false)] {
        let addr = control_addr("10.0.0.1:8086", Some(&name(asked)));
        let tls = client.mutual_tls(&addr).unwrap().unwrap();
        assert!(*tls.ready.unwrap().borrow());
        let (near, far) = duplex(64 * 1024);
        let acceptor = tokio_rustls::TlsAcceptor::from(web.credentials().server_config(vec![]));
        let connector = tokio_rustls::TlsConnector::from(tls.config);
        let (connected, accepted) = tokio::join!(
            connector.connect(tls.server_name, near),
            acceptor.accept(far)
        );
        assert_eq!(connected.is_ok(), ok, "{asked}");
        if ok {
            let accepted = accepted.unwrap();
            let chain = accepted.get_ref().1.peer_certificates().unwrap();
            assert_eq!(mesh_identity::peer_identity(chain), Some(name("client")));
        }
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
    let addr = control_addr("10.0.0.1:8080", Some("not a name"));
    let good = config("web", &addr, dir.path());

    let bad_name = IdentityConfig {
        name: "web".into(),
        ..good.clone()
    };
    assert!(matches!(
        Identity::new(bad_name),
        Err(IdentityError::Name(_))
    ));
    let no_anchors = IdentityConfig {
        trust_anchors: TrustAnchors::Pem("garbage".into()),
        ..good.clone()
    };
    assert!(matches!(
        Identity::new(no_anchors),
        Err(IdentityError::Trust(_))
    ));

    let identity = Identity::new(good).unwrap();
    let err = identity.mutual_tls(&addr).unwrap_err().to_string();
    assert!(err.contains("\"not a name\" is no DNS name"), "{err}");
    let no_identity = control_addr("127.0.0.1:8086", None);
    assert!(identity.mutual_tls(&no_identity).unwrap().is_none());
    let dns = Arc::new(SystemResolver::new(DnsConfig::default()).unwrap());
    let run = identity.run(dns, Arc::new(()), ());
    assert!(matches!(run.await, Err(IdentityError::ServerName(_))));
}
