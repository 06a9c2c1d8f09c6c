//! The API server's side of the webhook: HTTPS that trusts the `caBundle` alone.

use crate::{
    api_server::ApiServer,
    mesh::{Mesh, soon},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const NAME: &str = "mesh-injector.mesh.svc";

pub(super) fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "web", "image": "x"}]}})
}

pub(super) fn review(namespace: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "namespace": namespace, "kind": {"kind": "Pod"}, "operation": "CREATE",
            "object": object,
        },
    })
}

/// The roots that the webhook configuration has.
pub(super) fn roots(api: &ApiServer) -> Vec<CertificateDer<'static>> {
    let found = api.get("MutatingWebhookConfiguration", "", "mesh-injector");
    let found = found.expect("it is there");
    let bundle = found["webhooks"][0]["clientConfig"]["caBundle"].as_str();
    let bundle = STANDARD.decode(bundle.unwrap_or_default()).unwrap();
    let roots = CertificateDer::pem_slice_iter(&bundle);
    roots.map(|root| root.expect("a certificate")).collect()
}

/// Sends a review as the API server would; the answer's status, and its JSON or text.
pub(super) async fn send(api: &ApiServer, mesh: &Mesh, review: &Value) -> (u16, Value) {
    let mut trusted = RootCertStore::empty();
    for root in roots(api) {
        trusted.add(root).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(mesh_identity::crypto::provider());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let client = builder
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let tcp = TcpStream::connect(mesh.injector_addr()).await.unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let tls = TlsConnector::from(Arc::new(client)).connect(name, tcp);
    let tls = soon(tls).await.expect("the bundle is that of this replica");
    let connection = hyper::client::conn::http1::handshake(TokioIo::new(tls)).await;
    let (mut sender, connection) = connection.unwrap();
    tokio::spawn(connection);
    let request = Request::post("/inject")
        .header("host", NAME)
        .body(Full::new(Bytes::from(review.to_string())));
    let response = soon(sender.send_request(request.unwrap())).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = || json!(String::from_utf8_lossy(&body));
    (
        status,
        serde_json::from_slice(&body).unwrap_or_else(|_| text()),
    )
}

/// What kubectl would show.
pub(super) fn warnings(answer: &Value) -> String {
    let warnings = answer["response"]["warnings"].as_array();
    let warnings = warnings.into_iter().flatten().filter_map(Value::as_str);
    warnings.collect::<Vec<_>>().join("\n")
}
