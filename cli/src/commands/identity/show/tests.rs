use mesh_identity::ca;

use mesh_identity::issuer::{Issuer, Validity};
use mesh_identity::{Credentials, TrustBundle};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

fn of_files(files: Vec<PathBuf>) -> Args {
    Args {
        files,
        connect: None,
        name: None,
        trust_anchors: PathBuf::new(),
    }
}

fn name(account: &str) -> IdentityName {
    IdentityName::new(account, "shop", "mesh", "cluster.local").unwrap()
}

/// A TLS server of the workload `web`, of the mesh whose files are in `dir`.
async fn serve_web(dir: &Path) -> SocketAddr {
    let made = ca::create_root_and_issuer(dir, &ca::Options::default()).unwrap();
    let trust = TrustBundle::from_pem(&made.root.pem()).unwrap();
    let (now, key) = (
        std::time::SystemTime::now(),
        made.issuer.key().serialize_pem(),
    );
    let issuer =
        Issuer::from_pem(made.issuer.pem().as_bytes(), key.as_bytes(), &trust, now).unwrap();
    let web = Credentials::new(name("web"), trust);
    issuer.provision(&web, Validity::default(), now).unwrap();
    let acceptor = TlsAcceptor::from(web.server_config(Vec::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    addr
}

#[tokio::test]
async fn a_workload_has_to_prove_who_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let addr = serve_web(dir.path()).await;
    let anchors = dir.path().join(ca::TRUST_ANCHORS);
    let presented = fetch(addr, &name("web"), &anchors).await.unwrap();
    let (_, leaf) = X509Certificate::from_der(&presented[0]).unwrap();
    let text = describe(&leaf);
    let names = "web.shop.serviceaccount.identity.mesh.cluster.local, spiffe://cluster.local/ns/shop/sa/web";
    assert!(text.contains(&format!("names     {names}\n")), "{text}");

    let error = fetch(addr, &name("api"), &anchors)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("did not prove to be api.shop."), "{error}");
}

#[test]
fn root_and_issuer_are_described() {
    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
    let files = vec![
        dir.path().join(ca::TRUST_ANCHORS),
        dir.path().join(ca::ISSUER_CERTIFICATE),
    ];
    let text = run(&of_files(files)).unwrap();
    assert!(text.contains("subject   CN=root.cluster.local\n"), "{text}");
    assert!(
        text.contains("subject   CN=identity.cluster.local\n  issuer    CN=root.cluster.local\n"),
        "{text}"
    );
    assert!(text.contains("(364 days left)"), "{text}");
}

#[test]
fn a_file_without_certificate_is_named() {
    let dir = tempfile::tempdir().unwrap();
    ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
    let key = dir.path().join(ca::ISSUER_KEY);
    let error = run(&of_files(vec![key])).unwrap_err().to_string();
    assert!(
        error.ends_with("issuer.key holds no PEM certificate"),
        "{error}"
    );
    let error = run(&of_files(vec!["/no/such".into()]))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot read /no/such: No such file"),
        "{error}"
    );
}
