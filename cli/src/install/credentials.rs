//! Trust anchors and issuer: read, made or left to somebody else.

use super::Values;
use mesh_identity::{
    TrustBundle,
    ca::{self, CaError},
    issuer::{Issuer, IssuerError},
    trust::TrustError,
};
use std::time::SystemTime;

/// What the identity service starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// PEM.
    pub(crate) trust_anchors: String,
    /// None when the Secret is not ours to write.
    pub(crate) issuer: Option<Pair>,
}

/// Certificate, intermediates after it, and key; PEM.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A key is never shown.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair { .. }")
    }
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(
        "{given} without {missing}: give trust anchors, issuer certificate and issuer key, or none of them to have a CA made (with --identity-external-issuer, the trust anchors alone)"
    )]
    Incomplete {
        given: &'static str,
        missing: &'static str,
    },
    #[error(
        "--identity-external-issuer with {0}: the issuer is then in the Secret mesh-identity-issuer, which somebody else writes"
    )]
    External(&'static str),
    #[error("--identity-trust-anchors-file (identity.trustAnchors): {0}")]
    Anchors(#[from] TrustError),
    #[error(
        "--identity-issuer-certificate-file, --identity-issuer-key-file (identity.issuer): {0}"
    )]
    Issuer(#[from] IssuerError),
    #[error(transparent)]
    Ca(#[from] CaError),
}

const ANCHORS: &str = "--identity-trust-anchors-file";
const CERTIFICATE: &str = "--identity-issuer-certificate-file";
const KEY: &str = "--identity-issuer-key-file";

impl Credentials {
    /// Those that the values have, checked as a peer would, or new ones.
    ///
    /// # Errors
    /// When some are missing or no peer would accept them.
    pub(crate) fn of(values: &Values, now: SystemTime) -> Result<Self, CredentialsError> {
        let issuer = &values.identity.issuer;
        let given = [
            (ANCHORS, values.identity.trust_anchors.as_str()),
            (CERTIFICATE, issuer.certificate.as_str()),
            (KEY, issuer.key.as_str()),
        ];
        let [present, missing] = [false, true].map(|empty| {
            let with = given.iter().filter(|(_, text)| text.is_empty() == empty);
            with.map(|(name, _)| *name).collect::<Vec<_>>()
        });
        match (issuer.external, present.as_slice(), missing.as_slice()) {
            (false, [], _) => Self::made(&values.trust_domain, now),
            (false, _, []) | (true, [ANCHORS], _) => Self::checked(values, now),
            (true, [], _) => Err(CredentialsError::Incomplete {
                given: "--identity-external-issuer",
                missing: ANCHORS,
            }),
            (true, present, _) => Err(CredentialsError::External(present[present.len() - 1])),
            (false, [given, ..], [missing, ..]) => {
                Err(CredentialsError::Incomplete { given, missing })
            }
        }
    }

    fn made(trust_domain: &str, now: SystemTime) -> Result<Self, CredentialsError> {
        let options = ca::Options {
            trust_domain: trust_domain.to_owned(),
            ..ca::Options::default()
        };
        let made = ca::generate(&options, now)?;
        Ok(Self {
            trust_anchors: made.root.pem(),
            issuer: Some(Pair {
                certificate: made.issuer.pem(),
                key: made.issuer.key().serialize_pem(),
            }),
        })
    }

    fn checked(values: &Values, now: SystemTime) -> Result<Self, CredentialsError> {
        let identity = &values.identity;
        let trust = TrustBundle::from_pem(&identity.trust_anchors)?;
        let pair = (!identity.issuer.external).then(|| Pair {
            certificate: identity.issuer.certificate.clone(),
            key: identity.issuer.key.clone(),
        });
        if let Some(pair) = &pair {
            pair.check(&trust, now)?;
        }
        Ok(Self {
            // What else a file may hold, a key even, stays out of the ConfigMap.
            trust_anchors: trust.to_pem(),
            issuer: pair,
        })
    }
}

impl Pair {
    /// The end of what it can sign, if peers with these anchors would accept that.
    pub(crate) fn check(
        &self,
        trust: &TrustBundle,
        now: SystemTime,
    ) -> Result<SystemTime, IssuerError> {
        let (certificate, key) = (self.certificate.as_bytes(), self.key.as_bytes());
        Ok(Issuer::from_pem(certificate, key, trust, now)?.not_after())
    }
}
