//! Names of workloads, in the two forms that a certificate carries.
//!
//! The DNS form is `SA.NS.serviceaccount.identity.MESH-NS.TRUST-DOMAIN`, as in
//! Linkerd; the SPIFFE form is `spiffe://TRUST-DOMAIN/ns/NS/sa/SA`. A service
//! account may itself contain dots, so the DNS form is read from its fixed middle
//! outwards. Were the middle to occur twice, the same text could be read as
//! two workloads; such a name is refused instead.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls_pki_types::{DnsName, ServerName};

mod server_id;
#[cfg(test)]
mod tests;

pub use server_id::ServerId;

const MIDDLE: &str = ".serviceaccount.identity.";
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// The name of one workload: its service account, in a namespace of a mesh.
///
/// Cheap to clone. Equality is that of the whole name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityName(Arc<Parts>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    full: String,
    service_account: String,
    namespace: String,
    mesh_namespace: String,
    trust_domain: String,
}

/// Why a text is not the name of a workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The fixed parts are not there, or there twice.
    #[error(
        "`{0}` is not a workload identity; expected SERVICEACCOUNT.NAMESPACE.serviceaccount.identity.MESH-NAMESPACE.TRUST-DOMAIN"
    )]
    Shape(String),
    /// A variable part breaks the rules for DNS names.
    #[error("`{value}` can't be the {part} of an identity: {reason}")]
    Part {
        /// Which part it was to be.
        part: &'static str,
        /// The text found there.
        value: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// A name longer than DNS allows.
    #[error(
        "the identity `{0}` has more than {MAX_NAME} characters, so no certificate can carry it"
    )]
    TooLong(String),
    /// A text that is neither a DNS name nor a SPIFFE URI.
    #[error("`{value}` can't be the identity of a server: {reason}")]
    ServerId {
        /// The text given.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl IdentityName {
    /// Puts a name together from its parts.
    ///
    /// # Errors
    /// When a part isn't made of lower-case DNS labels, or the whole is longer than 253 characters.
    pub fn new(
        service_account: &str,
        namespace: &str,
        mesh_namespace: &str,
        trust_domain: &str,
    ) -> Result<Self, NameError> {
        check_labels("service account", service_account)?;
        check_label("namespace", namespace)?;
        check_label("mesh namespace", mesh_namespace)?;
        check_labels("trust domain", trust_domain)?;
        let full = format!("{service_account}.{namespace}{MIDDLE}{mesh_namespace}.{trust_domain}");
        if full.len() > MAX_NAME {
            return Err(NameError::TooLong(full));
        }
        if full.match_indices(MIDDLE).count() != 1 {
            return Err(NameError::Shape(full));
        }
        Ok(Self(Arc::new(Parts {
            full,
            service_account: service_account.to_owned(),
            namespace: namespace.to_owned(),
            mesh_namespace: mesh_namespace.to_owned(),
            trust_domain: trust_domain.to_owned(),
        })))
    }

    /// The whole name, as it stands in the certificate's DNS SAN and in SNI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.full
    }

    /// The Kubernetes service account.
    #[must_use]
    pub fn service_account(&self) -> &str {
        &self.0.service_account
    }

    /// The namespace of the service account.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// The namespace of the control plane.
    #[must_use]
    pub fn mesh_namespace(&self) -> &str {
        &self.0.mesh_namespace
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        &self.0.trust_domain
    }

    /// The SPIFFE form, which certificates carry as their second SAN.
    #[must_use]
    pub fn spiffe_uri(&self) -> String {
        let Parts {
            trust_domain,
            namespace,
            service_account,
            ..
        } = &*self.0;
        format!("spiffe://{trust_domain}/ns/{namespace}/sa/{service_account}")
    }

    /// The name in the type that TLS libraries want for SNI.
    #[must_use]
    pub fn server_name(&self) -> ServerName<'static> {
        ServerName::DnsName(self.dns_name())
    }

    pub(crate) fn dns_name(&self) -> DnsName<'static> {
        DnsName::try_from(self.0.full.clone()).expect("an IdentityName is a valid DNS name")
    }
}

impl FromStr for IdentityName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let shape = || NameError::Shape(text.to_owned());
        let (workload, mesh) = text.split_once(MIDDLE).ok_or_else(shape)?;
        let (service_account, namespace) = workload.rsplit_once('.').ok_or_else(shape)?;
        let (mesh_namespace, trust_domain) = mesh.split_once('.').ok_or_else(shape)?;
        Self::new(service_account, namespace, mesh_namespace, trust_domain)
    }
}

impl fmt::Display for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.full)
    }
}

impl fmt::Debug for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityName({})", self.0.full)
    }
}

/// One or more labels joined by dots.
fn check_labels(part: &'static str, value: &str) -> Result<(), NameError> {
    value
        .split('.')
        .try_for_each(|label| match label_fault(label) {
            None => Ok(()),
            Some(reason) => Err(NameError::Part {
                part,
                value: value.to_owned(),
                reason,
            }),
        })
}

fn check_label(part: &'static str, value: &str) -> Result<(), NameError> {
    match label_fault(value) {
        None => Ok(()),
        Some(reason) => Err(NameError::Part {
            part,
            value: value.to_owned(),
            reason,
        }),
    }
}

/// The rule of RFC 1123 that a label breaks, with Kubernetes' limit to lower case.
fn label_fault(label: &str) -> Option<&'static str> {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if label.is_empty() {
        Some("it is empty or has an empty label between two dots")
    } else if label.len() > MAX_LABEL {
        Some("a label has more than 63 characters")
    } else if !label.bytes().all(ok) {
        Some("only lower-case letters, digits and `-` are allowed")
    } else if label.starts_with('-') || label.ends_with('-') {
        Some("a label starts or ends with `-`")
    } else {
        None
    }
}
