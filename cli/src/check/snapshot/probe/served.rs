//! The certificates that the injector's pods serve, whatever they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use mesh_identity::crypto;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme, crypto::verify_tls13_signature,
};

use crate::check::checks::expected;
use crate::cluster::{Cluster, PATIENCE, PodName};

type Served = Result<Vec<CertificateDer<'static>>, String>;

/// What each of the pods serves to the API server.
pub(super) async fn by_all<'a>(
    cluster: &Cluster,
    mesh: &str,
    pods: impl Iterator<Item = &'a Pod>,
    port: u16,
) -> BTreeMap<PodName, Served> {
    let each = pods.map(|pod| {
        let pod = PodName::of(pod);
        async move {
            let handshake = handshake(cluster, mesh, &pod, port);
            let served = match tokio::time::timeout(PATIENCE, handshake).await {
                Ok(served) => served,
                Err(_) => Err(super::silence(port)),
            };
            (pod, served)
        }
    });
    join_all(each).await.into_iter().collect()
}

async fn handshake(cluster: &Cluster, mesh: &str, pod: &PodName, port: u16) -> Served {
    let stream = cluster.port_forward(pod, port).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(expected::webhook_host(mesh)).map_err(|e| e.to_string())?;
    let connector = TlsConnector::from(config().map_err(|error| error.to_string())?);
    let connected = connector.connect(name, stream).await;
    let connected = connected.map_err(|error| format!("port {port}: {error}"))?;
    let certificates = connected.get_ref().1.peer_certificates();
    Ok(certificates.unwrap_or_default().to_vec())
}

fn config() -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(crypto::provider());
    let config = builder
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Takes every certificate: it is verified later, against what the API server trusts.
/// Nothing is sent on the connection.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = crypto::provider().signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        crypto::provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
