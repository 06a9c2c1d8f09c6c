use mesh_identity::ca;

use mesh_identity::issuer::{Issuer, Validity};
use mesh_identity::{Credentials, TrustBundle};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

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
    let files = [ca::TRUST_ANCHORS, ca::ISSUER_CERTIFICATE];
    let text: String = files
        .map(|name| file(&dir.path().join(name)).unwrap())
        .concat();
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
    let error = file(&key).unwrap_err().to_string();
    assert!(
        error.ends_with("issuer.key holds no PEM certificate"),
        "{error}"
    );
    let error = file(Path::new("/no/such")).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read /no/such: No such file"),
        "{error}"
    );
}

fn args(line: &[&str]) -> Args {
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let line = std::iter::once(&"show").chain(line);
    <Line as clap::Parser>::try_parse_from(line).unwrap().args
}

#[test]
fn pods_are_told_from_files() {
    let pods = |line: &[&str]| {
        let pods = args(line).pods().unwrap();
        pods.map(|pods| pods.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(pods(&["identity/ca.crt"]), None);
    assert_eq!(pods(&["./pod/web.crt"]), None);
    assert_eq!(pods(&["pod/web-0"]), Some(vec!["pod/web-0".to_owned()]));
    assert_eq!(
        pods(&["-n", "shop", "web-0", "deploy/api"]),
        Some(vec!["pod/web-0".to_owned(), "deploy/api".to_owned()])
    );
    assert_eq!(pods(&["-l", "app=web"]), Some(Vec::new()));
    assert!(args(&["-n", "shop", "ca/x"]).pods().is_err());
}

/// What somebody who expects `account` sees of the workload `web`.
async fn seen(account: &str, trust: TrustBundle, addr: SocketAddr) -> witness::Seen {
    let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    witness::see(stream, &name(account), trust).await.unwrap()
}

#[tokio::test]
async fn what_a_pod_serves_is_seen_whether_it_verifies_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let addr = serve_web(dir.path()).await;
    let pem = std::fs::read_to_string(dir.path().join(ca::TRUST_ANCHORS)).unwrap();
    let trust = TrustBundle::from_pem(&pem).unwrap();
    let good = seen("web", trust.clone(), addr).await;
    assert_eq!(good.verdict, Ok(()));
    assert!(good.leaf.is_some());
    let other = seen("api", trust, addr).await;
    assert!(other.verdict.unwrap_err().contains("api.shop"), "the name");
    let strange = tempfile::tempdir().unwrap();
    let made = ca::create_root_and_issuer(strange.path(), &ca::Options::default()).unwrap();
    let strange = TrustBundle::from_pem(&made.root.pem()).unwrap();
    let unknown = seen("web", strange, addr).await;
    assert_eq!(unknown.leaf, good.leaf);
    assert!(unknown.verdict.is_err());
}
