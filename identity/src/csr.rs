//! What a certificate signing request may say.
//!
//! The only thing taken over from a request is its public key; name, usages and
//! life come from the service. What else it says is checked all the same, as
//! Linkerd's `checkCSR` does, because a workload that asks for more than its own
//! name is either broken or hostile, and should hear so.

use rcgen::SubjectPublicKeyInfo;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::name::IdentityName;

#[cfg(test)]
mod tests;

/// A public key whose owner has shown that it holds the private half.
#[derive(Debug)]
pub struct CheckedKey(SubjectPublicKeyInfo);

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrError {
    /// Not a PKCS#10 request in DER.
    #[error(
        "the certificate signing request is not valid DER (PKCS#10); PEM is not understood here"
    )]
    Malformed,
    /// Its signature does not verify with its own key.
    #[error("the signature of the certificate signing request does not fit its public key")]
    Signature,
    /// Any other key.
    #[error(
        "the key of the certificate signing request is not ECDSA P-256, the only kind that peers accept"
    )]
    Key,
    /// Not exactly one DNS name.
    #[error(
        "the certificate signing request has {} DNS names ({}), expected only {expected}", found.len(), found.join(", ")
    )]
    DnsNames {
        /// What was asked for.
        found: Vec<String>,
        /// What should have been.
        expected: String,
    },
    /// One DNS name, but another.
    #[error("the certificate signing request is for {found}, but the request for {expected}")]
    OtherName {
        /// The name in the CSR.
        found: String,
        /// The name in the request.
        expected: String,
    },
    /// E-mail, IP address, URI, ...
    #[error(
        "the certificate signing request has an alternative name that is no DNS name; only {expected} is allowed"
    )]
    OtherKindOfName {
        /// What should have been.
        expected: String,
    },
    /// A subject that is more than a copy of the name.
    #[error(
        "the subject of the certificate signing request must be empty or the common name {expected}"
    )]
    Subject {
        /// What would be allowed.
        expected: String,
    },
    /// Extensions that the service decides.
    #[error(
        "the certificate signing request asks for extensions; only one subject alternative name is allowed, the rest is the identity service's choice"
    )]
    Extension,
}

impl CsrError {
    /// True when the request can't be understood, false when it is understood and not allowed.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed | Self::Signature)
    }
}

/// Checks a DER request against the name that its sender claims.
///
/// # Errors
/// One variant for each rule; see [`CsrError`].
pub fn check(der: &[u8], expected: &IdentityName) -> Result<CheckedKey, CsrError> {
    let (rest, csr) = X509CertificationRequest::from_der(der).map_err(|_| CsrError::Malformed)?;
    if !rest.is_empty() {
        return Err(CsrError::Malformed);
    }
    let key = public_key(&csr)?;
    csr.verify_signature().map_err(|_| CsrError::Signature)?;
    check_subject(&csr.certification_request_info.subject, expected)?;
    check_extensions(&csr, expected)?;
    Ok(CheckedKey(key))
}

impl CheckedKey {
    pub(crate) fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.0
    }
}

fn public_key(csr: &X509CertificationRequest<'_>) -> Result<SubjectPublicKeyInfo, CsrError> {
    let spki = csr.certification_request_info.subject_pki.raw;
    let key = SubjectPublicKeyInfo::from_der(spki).map_err(|_| CsrError::Key)?;
    if rcgen::PublicKeyData::algorithm(&key) != &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(CsrError::Key);
    }
    Ok(key)
}

/// Empty, as our own requests, or one common name equal to the DNS name, as
/// those of Linkerd's proxy.
fn check_subject(subject: &X509Name<'_>, expected: &IdentityName) -> Result<(), CsrError> {
    let attributes = subject.iter_attributes().count();
    let mut names = subject.iter_common_name().map(|name| name.as_str());
    match (attributes, names.next()) {
        (0, None) => Ok(()),
        (1, Some(Ok(name))) if name == expected.as_str() => Ok(()),
        _ => Err(CsrError::Subject {
            expected: expected.to_string(),
        }),
    }
}

fn check_extensions(
    csr: &X509CertificationRequest<'_>,
    expected: &IdentityName,
) -> Result<(), CsrError> {
    let mut dns = Vec::new();
    for extension in csr.requested_extensions().into_iter().flatten() {
        let ParsedExtension::SubjectAlternativeName(san) = extension else {
            return Err(CsrError::Extension);
        };
        for name in &san.general_names {
            match name {
                GeneralName::DNSName(name) => dns.push((*name).to_owned()),
                _ => {
                    return Err(CsrError::OtherKindOfName {
                        expected: expected.to_string(),
                    });
                }
            }
        }
    }
    match dns.as_slice() {
        [name] if name == expected.as_str() => Ok(()),
        [name] => Err(CsrError::OtherName {
            found: name.clone(),
            expected: expected.to_string(),
        }),
        _ => Err(CsrError::DnsNames {
            found: dns,
            expected: expected.to_string(),
        }),
    }
}
