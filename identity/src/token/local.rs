//! Tokens without a cluster: JWTs signed with ES256 (RFC 7519, RFC 7518 3.4).
//!
//! The claims are those of a Kubernetes service account token as far as the
//! service reads them: `sub`, `aud`, `exp`, `nbf`, `iat`. The clock is an argument
//! in the verifier, so times are checked by us and the rest by the library.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde::Serialize;

use super::ServiceAccount;
use crate::ca::{CaError, write_new};
use crate::file::{self, FileError};

#[cfg(test)]
mod tests;
mod verify;

pub use verify::LocalVerifier;

/// File name of the private key in an identity directory.
pub const TOKEN_KEY: &str = "token.key";
/// File name of the public key in an identity directory.
pub const TOKEN_PUBLIC_KEY: &str = "token.pub";

#[derive(Serialize)]
struct NewClaims<'a> {
    iss: &'static str,
    sub: String,
    aud: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// The private key that signs local tokens. Whoever has it can be any workload.
pub struct LocalTokenKey {
    key: KeyPair,
}

/// Why there is no usable key, or no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenKeyError {
    /// It can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It can't be written.
    #[error(transparent)]
    Write(#[from] CaError),
    /// It is something else.
    #[error("{path} is not {expected}; make one with `mesh identity token`", path = path.display())]
    Format {
        /// Where it is.
        path: std::path::PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// The library refused.
    #[error("can't sign a token: {0}")]
    Sign(String),
}

impl LocalTokenKey {
    /// Makes a key pair and writes `token.key` (owner only) and `token.pub`.
    ///
    /// # Errors
    /// When one of them exists already, or can't be written.
    pub fn create(dir: &Path) -> Result<Self, TokenKeyError> {
        let key = Self::generate()?;
        let files = [
            (TOKEN_KEY, key.key.serialize_pem(), 0o600),
            (TOKEN_PUBLIC_KEY, key.public_key_pem(), 0o644),
        ];
        write_new(dir, &files)?;
        Ok(key)
    }

    /// Makes a key pair in memory.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, TokenKeyError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|e| TokenKeyError::Sign(e.to_string()))?;
        Ok(Self { key })
    }

    /// Reads a private key (PEM, ECDSA P-256).
    ///
    /// # Errors
    /// When it can't be read or is something else.
    pub fn load(path: &Path) -> Result<Self, TokenKeyError> {
        let pem = file::read("token key", path)?;
        std::str::from_utf8(&pem)
            .ok()
            .and_then(|pem| KeyPair::from_pem_and_sign_algo(pem, &PKCS_ECDSA_P256_SHA256).ok())
            .map(|key| Self { key })
            .ok_or_else(|| TokenKeyError::Format {
                path: path.to_owned(),
                expected: "a PEM private key (ECDSA P-256)",
            })
    }

    /// What a verifier needs.
    #[must_use]
    pub fn public_key_pem(&self) -> String {
        self.key.public_key_pem()
    }

    /// Signs a token for a service account, good from now on.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn sign(
        &self,
        namespace: &str,
        service_account: &str,
        audience: &str,
        lifetime: Duration,
    ) -> Result<String, TokenKeyError> {
        self.sign_at(
            namespace,
            service_account,
            audience,
            lifetime,
            SystemTime::now(),
        )
    }

    pub(crate) fn sign_at(
        &self,
        namespace: &str,
        service_account: &str,
        audience: &str,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<String, TokenKeyError> {
        let now = seconds(now);
        let account = ServiceAccount {
            namespace: namespace.to_owned(),
            name: service_account.to_owned(),
        };
        let claims = NewClaims {
            iss: "mesh",
            sub: account.to_string(),
            aud: audience,
            iat: now,
            nbf: now,
            exp: now.saturating_add(lifetime.as_secs()),
        };
        let key = EncodingKey::from_ec_der(self.key.serialized_der());
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key)
            .map_err(|e| TokenKeyError::Sign(e.to_string()))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

impl std::fmt::Debug for LocalTokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalTokenKey([redacted])")
    }
}
