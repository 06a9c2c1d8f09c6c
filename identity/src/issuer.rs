//! The issuer: the certificate and key that sign workloads' certificates.
//!
//! Before an issuer is accepted it signs a certificate for a key made on the
//! spot, and that certificate must verify against the trust anchors exactly as
//! a peer would verify it. One trial covers what a list of checks would miss: wrong
//! chain order, an unsupported algorithm, a name constraint, a path length. The
//! common mistakes are looked for first, to be named in plain words.

use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::credentials::{Credentials, InstallError};
use crate::csr::CheckedKey;
use crate::name::IdentityName;
use crate::trust::TrustBundle;

mod load;
#[cfg(test)]
mod tests;
mod watch;

pub use load::IssuerError;
pub use watch::{IssuerFiles, IssuerHandle, LoadError, watch};

/// How long issued certificates are good for.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// From now.
    pub lifetime: Duration,
    /// Added at both ends, for peers whose clocks differ.
    pub clock_skew: Duration,
}

impl Default for Validity {
    /// Linkerd's: 24 h and 20 s.
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(24 * 60 * 60),
            clock_skew: Duration::from_secs(20),
        }
    }
}

/// An issuer that was found good for a set of trust anchors.
pub struct Issuer {
    signer: rcgen::Issuer<'static, KeyPair>,
    /// The issuer's own certificate, then those between it and the root.
    chain: Vec<CertificateDer<'static>>,
    /// The latest start of the chain, root included.
    not_before: SystemTime,
    /// The earliest end of the chain, root included.
    not_after: SystemTime,
}

/// A new certificate with what a peer needs to verify it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The workload's certificate.
    pub leaf: CertificateDer<'static>,
    /// From the issuer towards the root.
    pub intermediates: Vec<CertificateDer<'static>>,
    /// The leaf's end, in whole seconds.
    pub not_after: SystemTime,
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Only a new issuer (or root) helps.
    #[error("the issuer or its root has expired; install a new issuer certificate")]
    Expired,
    /// A fault in the library or in us.
    #[error("can't sign a certificate: {0}")]
    Sign(#[from] rcgen::Error),
}

/// Why [`Issuer::provision`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// Nothing was issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// It does not fit the workload.
    #[error(transparent)]
    Install(#[from] InstallError),
}

impl Issuer {
    /// Reads an issuer: PEM certificate (with intermediates after it, if any) and PEM key.
    ///
    /// # Errors
    /// When no peer would accept what it signs; see [`IssuerError`].
    pub fn from_pem(
        certificate: &[u8],
        key: &[u8],
        trust: &TrustBundle,
        now: SystemTime,
    ) -> Result<Self, IssuerError> {
        load::from_pem(certificate, key, trust, now)
    }

    /// The earliest end among issuer, intermediates and root.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Signs a certificate for a workload: DNS SAN first, SPIFFE URI second, valid
    /// from `now - skew` to `now + lifetime + skew`, but never outside of the chain's own validity.
    ///
    /// # Errors
    /// When the issuer has expired or signing fails.
    pub fn issue(
        &self,
        name: &IdentityName,
        key: &CheckedKey,
        validity: Validity,
        now: SystemTime,
    ) -> Result<Issued, IssueError> {
        self.sign(name, key.public_key(), validity, now)
    }

    /// Gives a workload of this process a certificate, with a new key: for the demo and
    /// for tests that need a peer without a whole identity service.
    ///
    /// # Errors
    /// When nothing can be issued, or the workload does not accept it.
    pub fn provision(
        &self,
        credentials: &Credentials,
        validity: Validity,
        now: SystemTime,
    ) -> Result<(), ProvisionError> {
        let key = new_key().map_err(IssueError::from)?;
        let Issued {
            leaf,
            intermediates,
            ..
        } = self.sign(credentials.name(), &key, validity, now)?;
        let chain = std::iter::once(leaf).chain(intermediates).collect();
        Ok(credentials.install(chain, PrivatePkcs8KeyDer::from(key.serialize_der()), now)?)
    }

    fn sign(
        &self,
        name: &IdentityName,
        key: &impl PublicKeyData,
        validity: Validity,
        now: SystemTime,
    ) -> Result<Issued, IssueError> {
        if now >= self.not_after {
            return Err(IssueError::Expired);
        }
        let Validity {
            lifetime,
            clock_skew,
        } = validity;
        let not_before = now
            .checked_sub(clock_skew)
            .map_or(self.not_before, |start| start.max(self.not_before));
        let not_after = now
            .checked_add(lifetime.saturating_add(clock_skew))
            .map_or(self.not_after, |end| whole_seconds(end).min(self.not_after));
        let params = leaf_params(name, not_before, not_after)?;
        Ok(Issued {
            leaf: params.signed_by(key, &self.signer)?.der().clone(),
            intermediates: self.chain.clone(),
            not_after,
        })
    }
}

fn leaf_params(
    name: &IdentityName,
    not_before: SystemTime,
    not_after: SystemTime,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![
        SanType::DnsName(name.as_str().try_into()?),
        SanType::URI(name.spiffe_uri().try_into()?),
    ];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    params.not_before = not_before.into();
    params.not_after = not_after.into();
    Ok(params)
}

/// Certificates count in seconds; what we say must be what they say.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// A key pair of the kind that all of the mesh uses.
fn new_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

/// Leaves the key out.
impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
