//! A certificate in words.

use std::time::Duration;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

/// Kind, names, issuer and validity, a line each.
pub(super) fn describe(certificate: &X509Certificate<'_>) -> String {
    let validity = certificate.validity();
    let left = match validity.time_to_expiration() {
        Some(left) => format!("{} left", days(left.unsigned_abs())),
        None if validity.not_after < x509_parser::time::ASN1Time::now() => "expired".to_owned(),
        None => "not valid yet".to_owned(),
    };
    let kind = if certificate.is_ca() {
        "authority"
    } else {
        "workload"
    };
    let names = match names(certificate) {
        names if names.is_empty() => "none".to_owned(),
        names => names.join(", "),
    };
    let subject = match certificate.subject().to_string() {
        // A workload's: its names are all there is.
        subject if subject.is_empty() => "none".to_owned(),
        subject => subject,
    };
    format!(
        "  kind      {kind}\n  names     {names}\n  subject   {subject}\n  issuer    {}\n  serial    {}\n  valid     {} to {} ({left})\n",
        certificate.issuer(),
        certificate.raw_serial_as_string(),
        validity.not_before,
        validity.not_after,
    )
}

/// The names that a certificate speaks for, in their order: a peer takes the first.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension
        .map(|extension| extension.value.general_names.as_slice())
        .unwrap_or_default();
    names
        .iter()
        .map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::URI(name) => (*name).to_owned(),
            other => other.to_string(),
        })
        .collect()
}

fn days(left: Duration) -> String {
    match left.as_secs() / 86_400 {
        0 => humantime::format_duration(Duration::from_secs(left.as_secs() / 60 * 60)).to_string(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}
