//! A handshake that goes on whatever is presented, and tells what a proxy would have said to it.
//!
//! A certificate that does not verify is the one that somebody wants to look at.
//! Nothing is sent over the connection, and the verdict comes from the verifier
//! that proxies use, so being lenient here trusts nobody.

use std::io;
use std::sync::Arc;

use mesh_identity::{Credentials, IdentityName, ServerId, TrustBundle, crypto};
use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

/// What was presented.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) leaf: Option<CertificateDer<'static>>,
    /// Why a proxy would refuse it.
    pub(super) verdict: Result<(), String>,
}

/// Shakes hands with a server that has to be `name`.
///
/// # Errors
/// When the connection breaks, or there is no TLS at its other end.
pub(super) async fn see(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    name: &IdentityName,
    trust: TrustBundle,
) -> io::Result<Seen> {
    let judge = Credentials::new(name.clone(), trust).verifier(&ServerId::from(name));
    let witness = Arc::new(Witness {
        judge,
        verdict: Mutex::new(None),
    });
    let config = ClientConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3 suites")
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name.server_name(), stream).await?;
    let presented = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let verdict = witness.verdict.lock().take();
    Ok(Seen {
        leaf: presented.first().map(|leaf| leaf.clone().into_owned()),
        verdict: verdict
            .unwrap_or(Err(Error::NoCertificatesPresented))
            .map_err(|error| reason(&error)),
    })
}

/// The cause alone: that a certificate is invalid is said by its being one.
fn reason(error: &Error) -> String {
    let text = error.to_string();
    let cause = text.strip_prefix("invalid peer certificate: ");
    cause.unwrap_or(&text).to_owned()
}

#[derive(Debug)]
struct Witness {
    judge: Arc<dyn ServerCertVerifier>,
    verdict: Mutex<Option<Result<(), Error>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self
            .judge
            .verify_server_cert(leaf, intermediates, name, ocsp, now);
        *self.verdict.lock() = Some(verdict.map(drop));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge
            .verify_tls12_signature(message, certificate, signature)
    }

    /// Not lenient: who presents a certificate has its key.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
