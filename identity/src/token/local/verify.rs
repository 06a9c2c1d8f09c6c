//! The verifier of local tokens.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SubjectPublicKeyInfo};
use serde::Deserialize;

use super::{TokenKeyError, seconds};
use crate::file;
use crate::token::{ServiceAccount, Token, TokenError, TokenVerifier};

/// Clocks may differ by this much.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    nbf: Option<u64>,
    iat: Option<u64>,
}

/// Verifies tokens of a [`LocalTokenKey`](super::LocalTokenKey) with its public half.
pub struct LocalVerifier {
    key: DecodingKey,
    validation: Validation,
    audiences: Vec<String>,
}

impl LocalVerifier {
    /// Reads a public key (PEM) and accepts tokens for any of the audiences.
    ///
    /// # Errors
    /// When the file can't be read or is something else.
    pub fn load(path: &Path, audiences: &[String]) -> Result<Self, TokenKeyError> {
        let pem = file::read("token public key", path)?;
        std::str::from_utf8(&pem)
            .ok()
            .and_then(|pem| Self::from_pem(pem, audiences))
            .ok_or_else(|| TokenKeyError::Format {
                path: path.to_owned(),
                expected: "a PEM public key (ECDSA P-256)",
            })
    }

    /// `None` when the text is no PEM public key for ECDSA P-256.
    #[must_use]
    pub fn from_pem(pem: &str, audiences: &[String]) -> Option<Self> {
        let key = SubjectPublicKeyInfo::from_pem(pem).ok()?;
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return None;
        }
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(audiences);
        validation.set_required_spec_claims(&["exp", "sub", "aud"]);
        // Checked by `check_times`, with the clock that we are given.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Some(Self {
            key: DecodingKey::from_ec_der(key.der_bytes()),
            validation,
            audiences: audiences.to_vec(),
        })
    }

    pub(crate) fn judge(
        &self,
        token: &Token,
        now: SystemTime,
    ) -> Result<ServiceAccount, TokenError> {
        let claims = jsonwebtoken::decode::<Claims>(token.as_str(), &self.key, &self.validation)
            .map_err(|error| self.explain(error.kind()))?
            .claims;
        check_times(&claims, seconds(now))?;
        ServiceAccount::from_username(&claims.sub)
    }

    fn explain(&self, kind: &ErrorKind) -> TokenError {
        match kind {
            ErrorKind::InvalidSignature => TokenError::Signature,
            ErrorKind::InvalidAudience => TokenError::Audience(self.audiences.join(", ")),
            ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => {
                TokenError::Audience(self.audiences.join(", "))
            }
            ErrorKind::MissingRequiredClaim(_) => TokenError::Malformed("a claim is missing"),
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
                TokenError::Malformed("it is not signed with ES256")
            }
            ErrorKind::Json(_) | ErrorKind::InvalidClaimFormat(_) => {
                TokenError::Malformed("its claims can't be read")
            }
            _ => TokenError::Malformed("it is not a signed JWT"),
        }
    }
}

#[tonic::async_trait]
impl TokenVerifier for LocalVerifier {
    async fn verify(&self, token: &Token, now: SystemTime) -> Result<ServiceAccount, TokenError> {
        self.judge(token, now)
    }
}

fn check_times(claims: &Claims, now: u64) -> Result<(), TokenError> {
    let skew = CLOCK_SKEW.as_secs();
    if claims.exp.saturating_add(skew) <= now {
        return Err(TokenError::Expired(Duration::from_secs(now - claims.exp)));
    }
    let start = claims.nbf.unwrap_or(0).max(claims.iat.unwrap_or(0));
    if start > now.saturating_add(skew) {
        return Err(TokenError::NotYetValid(Duration::from_secs(start - now)));
    }
    Ok(())
}

impl std::fmt::Debug for LocalVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalVerifier")
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}
