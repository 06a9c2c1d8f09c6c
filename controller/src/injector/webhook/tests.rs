use super::*;
use crate::injector::certificate::Rotation;
use parking_lot::Mutex;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use std::time::SystemTime;
use tokio_rustls::TlsConnector;

const NAME: &str = "mesh-injector.mesh.svc";

/// A cluster with one namespace, `shop`.
#[derive(Default)]
struct One(Arc<Mutex<Vec<&'static str>>>);

impl Cluster for One {
    fn annotations(&self, namespace: &str) -> Option<Annotations> {
        let enabled = Annotations::from([("mesh.dev/inject".into(), "enabled".into())]);
        (namespace == "shop").then_some(enabled)
    }

    fn decided(&self, outcome: &Outcome) {
        self.0.lock().push(outcome.label());
    }
}

fn review(namespace: &str) -> String {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "namespace": namespace, "kind": {"kind": "Pod"},
            "object": {"spec": {"containers": [{"name": "web"}]}},
        },
    })
    .to_string()
}

async fn post(body: impl Into<Bytes>) -> (StatusCode, Bytes) {
    let webhook = Webhook::new(Config::default(), One::default());
    let request = Request::post("/").body(Full::new(body.into())).unwrap();
    let response = webhook.handle(request).await;
    let status = response.status();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

#[tokio::test]
async fn what_cannot_be_answered_is_an_http_error() {
    assert_eq!(post(review("shop")).await.0, StatusCode::OK);
    let (status, body) = post(review("new")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, "namespace new is not known yet\n");
    assert_eq!(post("{").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(
        post(vec![b' '; MAX_BODY + 1]).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    let webhook = Webhook::new(Config::default(), One::default());
    let get = Request::get("/").body(Full::new(Bytes::new())).unwrap();
    assert_eq!(
        webhook.handle(get).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

/// As the API server: with the bundle as the only root, and the Service's name.
#[tokio::test]
async fn it_is_served_with_a_certificate_of_the_bundle() {
    let rotation = Rotation::start(NAME, SystemTime::now()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let cluster = One::default();
    let decisions = cluster.0.clone();
    let webhook = Webhook::new(Config::default(), cluster);
    let server = tokio::spawn(webhook.serve(listener, rotation.server_config().unwrap()));

    let mut roots = RootCertStore::empty();
    let bundle = rotation.bundle();
    for root in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(mesh_identity::crypto::provider());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let client = builder.with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(addr).await.unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let tls = TlsConnector::from(Arc::new(client))
        .connect(name, tcp)
        .await
        .unwrap();

    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post("/")
        .header("host", NAME)
        .body(Full::new(Bytes::from(review("shop"))));
    let response = sender.send_request(request.unwrap()).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
    assert_eq!(*decisions.lock(), ["injected"]);
    server.abort();
}
