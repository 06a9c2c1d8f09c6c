//! Does a new certificate fit its key, our name, our bundle, and the time?
//!
//! A mistake of the CA found here keeps the old certificate in use and is told
//! to this workload's operator. Found later, it is every peer's refused handshake.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Current;
use super::chain::{self, PeerError, Usage, unix_time};
use crate::crypto;
use crate::name::{IdentityName, ServerId};
use crate::trust::TrustBundle;

/// Why a certificate was not put in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// No certificate at all.
    #[error("the identity service sent no certificate")]
    NoCertificate,
    /// Another key's certificate, or a key that can't be used.
    #[error("the certificate for {name} does not belong to our private key: {reason}")]
    Key {
        /// Our name.
        name: IdentityName,
        /// What the library said.
        reason: String,
    },
    /// A peer would refuse it for this reason.
    #[error("peers would refuse the new certificate: {0}")]
    Refused(#[from] PeerError),
}

pub(super) fn check(
    name: &IdentityName,
    trust: &TrustBundle,
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
    now: SystemTime,
) -> Result<Current, InstallError> {
    let Some((leaf, intermediates)) = chain.split_first() else {
        return Err(InstallError::NoCertificate);
    };
    chain::verify_name(leaf, &ServerId::from(name))?;
    for usage in [Usage::Server, Usage::Client] {
        chain::verify(trust, leaf, intermediates, unix_time(now), usage)?;
    }
    let not_after = chain
        .iter()
        .filter_map(not_after)
        .min()
        .ok_or(InstallError::NoCertificate)?;
    let key = certified_key(name, chain, key)?;
    Ok(Current {
        key: Arc::new(key),
        not_after,
    })
}

fn certified_key(
    name: &IdentityName,
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
) -> Result<CertifiedKey, InstallError> {
    let mismatch = |e: rustls::Error| InstallError::Key {
        name: name.clone(),
        reason: e.to_string(),
    };
    let signer = crypto::provider()
        .key_provider
        .load_private_key(PrivateKeyDer::Pkcs8(key))
        .map_err(mismatch)?;
    let key = CertifiedKey::new(chain, signer);
    key.keys_match().map_err(mismatch)?;
    Ok(key)
}

/// The end of a certificate, in whole seconds.
fn not_after(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}
