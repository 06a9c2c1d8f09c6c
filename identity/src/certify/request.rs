//! One round: key pair, CSR, token, request, checks, certificate in use.

use std::path::Path;
use std::time::{Duration, SystemTime};

use linkerd2_proxy_api::identity::{CertifyRequest, CertifyResponse};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::Certifier;
use crate::credentials::{Credentials, InstallError};
use crate::file::{self, FileError};
use crate::name::IdentityName;

/// Why a round brought no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// The token can't be read.
    #[error(transparent)]
    Token(#[from] FileError),
    /// Key pair or CSR could not be made.
    #[error("can't make a certificate signing request for {name}: {source}")]
    Csr {
        /// Our name.
        name: IdentityName,
        /// What the library said.
        source: rcgen::Error,
    },
    /// The identity service refused, or could not be reached.
    #[error("the identity service answered {code:?}: {message}", code = .0.code(), message = .0.message())]
    Service(Box<tonic::Status>),
    /// No answer in time.
    #[error("the identity service did not answer within {0:?}")]
    Timeout(Duration),
    /// What came back does not fit.
    #[error(transparent)]
    Certificate(#[from] InstallError),
}

/// When the new certificate ends.
pub(super) async fn round(
    credentials: &Credentials,
    token_file: Option<&Path>,
    certifier: &mut impl Certifier,
    timeout: Duration,
) -> Result<SystemTime, CertifyError> {
    let name = credentials.name();
    let (key, csr) = new_request(name).map_err(|source| CertifyError::Csr {
        name: name.clone(),
        source,
    })?;
    let token = token_file
        .map(|path| file::read("token", path))
        .transpose()?;
    let request = CertifyRequest {
        identity: name.to_string(),
        token: token.unwrap_or_default(),
        certificate_signing_request: csr,
    };
    let response = tokio::time::timeout(timeout, certifier.certify(request))
        .await
        .map_err(|_| CertifyError::Timeout(timeout))?
        .map_err(|status| CertifyError::Service(Box::new(status)))?;
    let now = SystemTime::now();
    credentials.install(chain(response), key, now)?;
    Ok(credentials.expiry().unwrap_or(now))
}

/// A new P-256 key pair, and a DER CSR with the name as its one DNS SAN and an
/// empty subject (design.md, "Settled details").
fn new_request(
    name: &IdentityName,
) -> Result<(PrivatePkcs8KeyDer<'static>, Vec<u8>), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new([name.to_string()])?;
    params.distinguished_name = DistinguishedName::new();
    let csr = params.serialize_request(&key)?;
    Ok((
        PrivatePkcs8KeyDer::from(key.serialize_der()),
        csr.der().to_vec(),
    ))
}

fn chain(response: CertifyResponse) -> Vec<CertificateDer<'static>> {
    std::iter::once(response.leaf_certificate)
        .chain(response.intermediate_certificates)
        .filter(|der| !der.is_empty())
        .map(CertificateDer::from)
        .collect()
}
