//! The judgement on a chain of certificates, with words for each way to fail.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::{CertificateError, OtherError};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::crypto;
use crate::name::ServerId;
use crate::trust::TrustBundle;

/// Why a peer's certificate was refused.
///
/// The text is for the operator of the side that refused. It travels inside
/// [`rustls::Error::InvalidCertificate`], which shows it by its `Debug` form, so that
/// form is the text too; [`PeerError::of`] gets it out again.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The chain leads to no anchor of the bundle.
    #[error(
        "the certificate of {peer} is not signed by any of our {anchors} trust anchors; the peer belongs to another mesh, or one side's trust bundle is out of date"
    )]
    UnknownRoot {
        /// Who it claims to be.
        peer: String,
        /// How many anchors there are.
        anchors: usize,
    },
    /// A certificate of the chain is past its end.
    #[error(
        "the certificate of {peer} expired {} s ago; the peer can't reach the identity service, or a clock is wrong", ago.as_secs()
    )]
    Expired {
        /// Who it claims to be.
        peer: String,
        /// Since when.
        ago: Duration,
        /// Seconds since 1970 at which it ended.
        not_after: u64,
    },
    /// A certificate of the chain is not valid yet.
    #[error("the certificate of {peer} is valid only {} s from now; a clock is wrong", ahead.as_secs())]
    NotYetValid {
        /// Who it claims to be.
        peer: String,
        /// Until it is valid.
        ahead: Duration,
    },
    /// A good certificate of somebody else.
    #[error(
        "expected the server {expected}, but the certificate is of {peer}; the address may have been given to another workload"
    )]
    WrongIdentity {
        /// Who was wanted.
        expected: String,
        /// Who it is.
        peer: String,
    },
    /// Anything else: damaged, wrong usage, unsupported algorithm, ...
    #[error("the certificate of {peer} can't be used: {reason}")]
    Unusable {
        /// Who it claims to be, if that can be read.
        peer: String,
        /// What the verifier said.
        reason: String,
    },
}

/// What the certificate is to be good for.
#[derive(Clone, Copy)]
pub(crate) enum Usage {
    Client,
    Server,
}

/// Does the chain lead to an anchor, now, for this usage?
pub(crate) fn verify(
    trust: &TrustBundle,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
    usage: Usage,
) -> Result<(), PeerError> {
    let anchors = trust.anchors();
    let usage = match usage {
        Usage::Client => KeyUsage::client_auth(),
        Usage::Server => KeyUsage::server_auth(),
    };
    EndEntityCert::try_from(leaf)
        .and_then(|certificate| {
            certificate
                .verify_for_usage(
                    crypto::CHAIN_ALGORITHMS,
                    &anchors.roots.roots,
                    intermediates,
                    now,
                    usage,
                    None,
                    None,
                )
                .map(drop)
        })
        .map_err(|error| explain(error, leaf, anchors.certificates.len()))
}

/// Does the leaf carry this identity?
pub(crate) fn verify_name(leaf: &CertificateDer<'_>, id: &ServerId) -> Result<(), PeerError> {
    let certificate = EndEntityCert::try_from(leaf).map_err(|e| explain(e, leaf, 0))?;
    let matches = match id {
        ServerId::Dns(name) => certificate
            .verify_is_valid_for_subject_name(&ServerName::DnsName(name.clone()))
            .is_ok(),
        ServerId::Uri(uri) => certificate.valid_uri_names().any(|san| san == uri),
    };
    if matches {
        return Ok(());
    }
    Err(PeerError::WrongIdentity {
        expected: id.to_string(),
        peer: describe(leaf),
    })
}

/// DNS SANs, then URI SANs.
pub(crate) fn names(leaf: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(leaf) else {
        return Vec::new();
    };
    certificate
        .valid_dns_names()
        .chain(certificate.valid_uri_names())
        .map(str::to_owned)
        .collect()
}

fn describe(leaf: &CertificateDer<'_>) -> String {
    names(leaf)
        .into_iter()
        .next()
        .unwrap_or_else(|| "an unnamed peer".to_owned())
}

pub(crate) fn explain(
    error: webpki::Error,
    leaf: &CertificateDer<'_>,
    anchors: usize,
) -> PeerError {
    let peer = describe(leaf);
    match error {
        // A bad signature is what an anchor of the right name with another key looks
        // like: two meshes that both call their root after the same trust domain.
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => {
            PeerError::UnknownRoot { peer, anchors }
        }
        webpki::Error::CertExpired { time, not_after } => PeerError::Expired {
            peer,
            ago: Duration::from_secs(time.as_secs().saturating_sub(not_after.as_secs())),
            not_after: not_after.as_secs(),
        },
        webpki::Error::CertNotValidYet { time, not_before } => PeerError::NotYetValid {
            peer,
            ahead: Duration::from_secs(not_before.as_secs().saturating_sub(time.as_secs())),
        },
        other => PeerError::Unusable {
            peer,
            reason: other.to_string(),
        },
    }
}

impl PeerError {
    /// Why we refused the peer's certificate, if that is why the handshake failed.
    #[must_use]
    pub fn of(error: &std::io::Error) -> Option<&Self> {
        match error.get_ref()?.downcast_ref()? {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
                error.downcast_ref()
            }
            _ => None,
        }
    }
}

impl std::fmt::Debug for PeerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Our text for this side. The alert that rustls sends for it is
/// `certificate_unknown`; the peer learns no more than that it was refused.
impl From<PeerError> for rustls::Error {
    fn from(error: PeerError) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(std::sync::Arc::new(
            error,
        ))))
    }
}

/// Times before 1970 count as 1970.
pub(crate) fn unix_time(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}
