//! The identity that a client demands of a server.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::DnsName;

use super::{IdentityName, NameError};

/// What the control plane says a server's certificate must carry: a DNS name
/// (Linkerd's `DnsLikeIdentity`) or a SPIFFE URI (`UriLikeIdentity`).
///
/// It is not limited to [`IdentityName`]s: an endpoint outside Kubernetes, or of
/// another mesh with the same root, may be named otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerId {
    /// A DNS SAN must match.
    Dns(DnsName<'static>),
    /// A URI SAN must be equal.
    Uri(String),
}

impl FromStr for ServerId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fault = |reason| NameError::ServerId {
            value: text.to_owned(),
            reason,
        };
        if text.contains("://") {
            check_spiffe(text).map_err(fault)?;
            return Ok(Self::Uri(text.to_owned()));
        }
        DnsName::try_from(text.to_owned())
            .map(Self::Dns)
            .map_err(|_| fault("it is neither a DNS name nor a spiffe:// URI"))
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name.as_ref()),
            Self::Uri(uri) => f.write_str(uri),
        }
    }
}

impl From<&IdentityName> for ServerId {
    fn from(name: &IdentityName) -> Self {
        Self::Dns(name.dns_name())
    }
}

/// The rules of the SPIFFE ID standard, section 2.
fn check_spiffe(uri: &str) -> Result<(), &'static str> {
    let rest = uri
        .strip_prefix("spiffe://")
        .ok_or("its scheme is not spiffe://")?;
    let (domain, path) = rest
        .split_once('/')
        .ok_or("it has no path after the trust domain")?;
    let in_domain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    let in_path = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if uri.len() > 2048 {
        Err("it has more than 2048 characters")
    } else if domain.is_empty() || !domain.bytes().all(in_domain) {
        Err("its trust domain is not made of lower-case letters, digits, `-`, `.` and `_`")
    } else if path
        .split('/')
        .any(|s| s.is_empty() || s == "." || s == ".." || !s.bytes().all(in_path))
    {
        Err("its path has an empty or relative segment or a character that SPIFFE forbids")
    } else {
        Ok(())
    }
}
