//! Tokens: how a workload shows who it is before it has a certificate.
//!
//! The service asks a [`TokenVerifier`] and knows nothing of where tokens come
//! from. [`local`] signs and verifies them without a cluster; in a cluster they are
//! service account tokens, which only the API server can judge ([`ReviewVerifier`]).

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::name::{IdentityName, NameError};

pub mod local;
mod review;

pub use local::{LocalTokenKey, LocalVerifier};
pub use review::ReviewVerifier;

/// The audience that tokens for the identity service carry.
pub const AUDIENCE: &str = "identity.mesh.dev";

/// A token as it came. Never shown, as whoever has it can be the workload.
pub struct Token(String);

impl Token {
    /// Takes the bytes of a request; white space around the token (files end in a
    /// newline) is dropped.
    ///
    /// # Errors
    /// When it is no ASCII text, or empty.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, TokenError> {
        let text = String::from_utf8(bytes).map_err(|_| TokenError::Malformed("not text"))?;
        match text.trim() {
            "" => Err(TokenError::Malformed("it is empty")),
            token => Ok(Self(token.to_owned())),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// Who a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ServiceAccount {
    /// Reads `system:serviceaccount:NS:SA`, Kubernetes' name for it.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn from_username(username: &str) -> Result<Self, TokenError> {
        let mut parts = username.split(':');
        match [(); 5].map(|()| parts.next()) {
            [
                Some("system"),
                Some("serviceaccount"),
                Some(namespace),
                Some(name),
                None,
            ] if !namespace.is_empty() && !name.is_empty() => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(TokenError::NotServiceAccount(username.to_owned())),
        }
    }

    /// Its identity in a mesh.
    ///
    /// # Errors
    /// When namespace or name can't be part of an identity.
    pub fn identity(
        &self,
        mesh_namespace: &str,
        trust_domain: &str,
    ) -> Result<IdentityName, NameError> {
        IdentityName::new(&self.name, &self.namespace, mesh_namespace, trust_domain)
    }
}

impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

/// Why a token does not show who its bearer is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a token at all.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// Signed by someone else, or changed.
    #[error("the token's signature does not fit our key; was it made for another mesh?")]
    Signature,
    /// Past its end.
    #[error("the token expired {} s ago; give the workload a new one", .0.as_secs())]
    Expired(Duration),
    /// Before its start, or issued in the future.
    #[error("the token is valid only {} s from now; are the clocks right?", .0.as_secs())]
    NotYetValid(Duration),
    /// For someone else to read.
    #[error("the token is for another audience; expected one of {0}")]
    Audience(String),
    /// A user, a node, ...
    #[error(
        "the token belongs to `{0}`, not to a service account (system:serviceaccount:NAMESPACE:NAME)"
    )]
    NotServiceAccount(String),
    /// The API server says no: expired, of another cluster, of a deleted pod, ...
    #[error("the API server refuses the token: {0}")]
    Refused(String),
    /// The judge could not be asked; the token may be good.
    #[error("can't have the token verified now: {0}")]
    Unavailable(String),
}

/// A judge of tokens.
#[tonic::async_trait]
pub trait TokenVerifier: Send + Sync + 'static {
    /// Who the token belongs to.
    ///
    /// # Errors
    /// When it is not good, or can't be judged now ([`TokenError::Unavailable`]).
    async fn verify(&self, token: &Token, now: SystemTime) -> Result<ServiceAccount, TokenError>;
}
