//! Reads an issuer and finds out whether it is good.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{IssueError, Issuer, Validity, new_key};
use crate::credentials::{PeerError, chain};
use crate::crypto;
use crate::name::IdentityName;
use crate::trust::{Anchors, TrustBundle};

/// Why an issuer is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// No certificate in the file.
    #[error("the issuer certificate file has no PEM certificate in it")]
    NoCertificate,
    /// PEM or DER damaged.
    #[error("the issuer certificate is damaged: {0}")]
    Certificate(String),
    /// No key, or one that can't be read.
    #[error("the issuer key is not a PEM private key (PKCS#8 or SEC1): {0}")]
    Key(String),
    /// Another kind of key.
    #[error("the issuer key is not ECDSA P-256, the only kind that peers accept")]
    KeyKind,
    /// Two files that don't belong together.
    #[error(
        "the issuer key does not belong to the issuer certificate; are they from two different rotations?"
    )]
    KeyMismatch,
    /// A leaf.
    #[error(
        "the issuer certificate is not a CA certificate (basic constraints), so peers would refuse what it signs"
    )]
    NotCa,
    /// Past its end.
    #[error("the issuer certificate, one above it, or its root expired {} s ago; install a new one", .0.as_secs())]
    Expired(Duration),
    /// Before its start.
    #[error("the issuer certificate, one above it, or its root is valid only {} s from now; is the clock right?", .0.as_secs())]
    NotYetValid(Duration),
    /// Does not lead to the anchors, or fails as a peer would see it.
    #[error("what this issuer signs would be refused by peers: {0}")]
    Refused(PeerError),
    /// The trial could not be made.
    #[error("the issuer can't sign: {0}")]
    Sign(#[from] IssueError),
}

pub(super) fn from_pem(
    certificate: &[u8],
    key: &[u8],
    trust: &TrustBundle,
    now: SystemTime,
) -> Result<Issuer, IssuerError> {
    let chain = certificates(certificate)?;
    let key = key_pair(key)?;
    let mut bounds = Bounds::default();
    for (index, der) in chain.iter().enumerate() {
        let parsed = parse(der)?;
        if index == 0 {
            check_own(&parsed, &key)?;
        }
        bounds.narrow(&parsed);
    }
    bounds.check(now)?;
    let signer = rcgen::Issuer::from_ca_cert_der(&chain[0], key).map_err(IssueError::from)?;
    let mut issuer = Issuer {
        signer,
        chain,
        not_before: bounds.not_before,
        not_after: bounds.not_after,
    };
    bounds.narrow(&parse(&try_out(&issuer, trust, now)?)?);
    bounds.check(now)?;
    (issuer.not_before, issuer.not_after) = (bounds.not_before, bounds.not_after);
    Ok(issuer)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IssuerError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| IssuerError::Certificate(e.to_string()))?;
    if chain.is_empty() {
        return Err(IssuerError::NoCertificate);
    }
    Ok(chain)
}

/// The library's own message is left out of the text: it may quote the key.
fn key_pair(pem: &[u8]) -> Result<KeyPair, IssuerError> {
    let text = std::str::from_utf8(pem).map_err(|_| IssuerError::Key("not text".to_owned()))?;
    if KeyPair::from_pem_and_sign_algo(text, &PKCS_ECDSA_P256_SHA256).is_err()
        && KeyPair::from_pem(text).is_ok()
    {
        return Err(IssuerError::KeyKind);
    }
    KeyPair::from_pem_and_sign_algo(text, &PKCS_ECDSA_P256_SHA256)
        .map_err(|_| IssuerError::Key("it can't be parsed".to_owned()))
}

fn check_own(certificate: &X509Certificate<'_>, key: &KeyPair) -> Result<(), IssuerError> {
    if certificate.public_key().subject_public_key.data.as_ref() != key.der_bytes() {
        return Err(IssuerError::KeyMismatch);
    }
    if !certificate.is_ca() {
        return Err(IssuerError::NotCa);
    }
    Ok(())
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, IssuerError> {
    X509Certificate::from_der(der)
        .map(|(_, parsed)| parsed)
        .map_err(|e| IssuerError::Certificate(e.to_string()))
}

/// Signs a certificate, verifies it as a peer would, and returns the root it led to.
fn try_out(
    issuer: &Issuer,
    trust: &TrustBundle,
    now: SystemTime,
) -> Result<CertificateDer<'static>, IssuerError> {
    let name = IdentityName::new("trial", "mesh", "mesh", "trial").expect("its parts are labels");
    let key = new_key().map_err(IssueError::from)?;
    let trial = issuer.sign(&name, &key, Validity::default(), now)?;
    let anchors = trust.anchors();
    let refused = |e| {
        IssuerError::Refused(chain::explain(
            e,
            &issuer.chain[0],
            anchors.certificates.len(),
        ))
    };
    let leaf = EndEntityCert::try_from(&trial.leaf).map_err(refused)?;
    let path = leaf
        .verify_for_usage(
            crypto::CHAIN_ALGORITHMS,
            &anchors.roots.roots,
            &issuer.chain,
            chain::unix_time(now),
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(refused)?;
    Ok(whole(&anchors, path.anchor()))
}

/// The certificate behind an anchor, for its dates.
fn whole(anchors: &Anchors, anchor: &rustls_pki_types::TrustAnchor<'_>) -> CertificateDer<'static> {
    let index = anchors.roots.roots.iter().position(|root| root == anchor);
    anchors.certificates[index.expect("the verifier chose one of these anchors")].clone()
}

/// The time in which all certificates of a chain are valid.
struct Bounds {
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Default for Bounds {
    fn default() -> Self {
        /// 9999-12-31, the "no end" of RFC 5280 4.1.2.5.
        const NO_END: u64 = 253_402_300_799;
        Self {
            not_before: UNIX_EPOCH,
            not_after: UNIX_EPOCH + Duration::from_secs(NO_END),
        }
    }
}

impl Bounds {
    fn narrow(&mut self, certificate: &X509Certificate<'_>) {
        let time = |t: x509_parser::time::ASN1Time| {
            UNIX_EPOCH + Duration::from_secs(u64::try_from(t.timestamp()).unwrap_or(0))
        };
        let validity = certificate.validity();
        self.not_before = self.not_before.max(time(validity.not_before));
        self.not_after = self.not_after.min(time(validity.not_after));
    }

    fn check(&self, now: SystemTime) -> Result<(), IssuerError> {
        if let Ok(ago) = now.duration_since(self.not_after) {
            return Err(IssuerError::Expired(ago));
        }
        match self.not_before.duration_since(now) {
            Ok(ahead) if !ahead.is_zero() => Err(IssuerError::NotYetValid(ahead)),
            _ => Ok(()),
        }
    }
}
