//! What matters of certificates.

use std::time::SystemTime;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Elliptic curve keys (RFC 5480, 2.1.1), and the one curve that peers take.
const EC_KEY: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
/// ECDSA with SHA-256 (RFC 5758, 3.2), the one signature that peers take.
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";

/// A certificate, as far as checks look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// For people.
    pub(super) subject: String,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// Its key is ECDSA P-256.
    pub(super) key_is_p256: bool,
    /// It is signed by ECDSA with SHA-256.
    pub(super) signature_is_supported: bool,
}

impl Certificate {
    /// Every certificate of a PEM text.
    ///
    /// # Errors
    /// When there is none, or one that is damaged.
    pub(super) fn all(pem: &[u8]) -> Result<Vec<Self>, String> {
        let all = CertificateDer::pem_slice_iter(pem).map(|der| match der {
            Ok(der) => Self::parse(&der),
            Err(error) => Err(format!("it is no PEM: {error}")),
        });
        let all: Vec<_> = all.collect::<Result<_, _>>()?;
        match all.is_empty() {
            true => Err("it holds no PEM certificate".to_owned()),
            false => Ok(all),
        }
    }

    /// One certificate.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn parse(der: &[u8]) -> Result<Self, String> {
        let damaged = |error: &dyn std::fmt::Display| format!("a certificate is damaged: {error}");
        let (_, parsed) = X509Certificate::from_der(der).map_err(|error| damaged(&error))?;
        let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp());
        let (start, end) = (parsed.validity().not_before, parsed.validity().not_after);
        let key = &parsed.public_key().algorithm;
        let curve = key
            .parameters
            .as_ref()
            .and_then(|curve| curve.as_oid().ok());
        Ok(Self {
            subject: parsed.subject().to_string(),
            not_before: time(start).map_err(|error| damaged(&error))?,
            not_after: time(end).map_err(|error| damaged(&error))?,
            key_is_p256: key.algorithm.to_id_string() == EC_KEY
                && curve.is_some_and(|curve| curve.to_id_string() == P256),
            signature_is_supported: parsed.signature_algorithm.algorithm.to_id_string()
                == ECDSA_SHA256,
        })
    }

    /// Why it is not valid now.
    pub(super) fn invalid(&self, now: Timestamp) -> Option<String> {
        let subject = &self.subject;
        if now > self.not_after {
            return Some(format!("{subject} expired on {}", day(self.not_after)));
        }
        (now < self.not_before)
            .then(|| format!("{subject} is valid only from {} on", self.not_before))
    }

    /// When it ends, if that is soon.
    pub(super) fn expiring(&self, now: Timestamp, soon: SignedDuration) -> Option<String> {
        let left = self.not_after.duration_since(now);
        let days = left.as_hours() / 24;
        let (subject, end) = (&self.subject, day(self.not_after));
        (!left.is_negative() && left < soon)
            .then(|| format!("{subject} expires on {end}, in {days} days"))
    }

    /// A moment at which it is valid: now, if it is.
    pub(super) fn some_time(&self, now: Timestamp) -> SystemTime {
        match self.invalid(now) {
            None => SystemTime::from(now),
            Some(_) => {
                let middle = (self.not_before.as_second() + self.not_after.as_second()) / 2;
                SystemTime::from(Timestamp::from_second(middle).unwrap_or(self.not_before))
            }
        }
    }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
