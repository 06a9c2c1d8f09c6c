//! `mesh identity show`.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

/// Show the certificates in PEM files: names, issuer, validity
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh identity show identity/ca.crt identity/issuer.crt")]
pub(crate) struct Args {
    /// PEM files, each with any number of certificates
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Why a file could not be shown.
#[derive(Debug, Error)]
pub(crate) enum ShowError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no PEM certificate", .0.display())]
    None(PathBuf),
    #[error("certificate {number} of {} cannot be parsed: {cause}", path.display())]
    Parse {
        path: PathBuf,
        number: usize,
        cause: String,
    },
}

/// The text for all files.
pub(super) fn run(args: &Args) -> Result<String, ShowError> {
    args.files.iter().map(|path| show(path)).collect()
}

fn show(path: &Path) -> Result<String, ShowError> {
    let pem = std::fs::read(path).map_err(|source| ShowError::Read {
        path: path.to_owned(),
        source,
    })?;
    let parse_error = |number, cause: String| ShowError::Parse {
        path: path.to_owned(),
        number,
        cause,
    };
    let mut text = String::new();
    let mut number = 0;
    for block in Pem::iter_from_buffer(&pem) {
        let block = block.map_err(|error| parse_error(number + 1, error.to_string()))?;
        if block.label != "CERTIFICATE" {
            continue;
        }
        number += 1;
        let certificate = block
            .parse_x509()
            .map_err(|error| parse_error(number, error.to_string()))?;
        let _ = writeln!(text, "{} ({number})", path.display());
        text += &describe(&certificate);
    }
    if text.is_empty() {
        Err(ShowError::None(path.to_owned()))
    } else {
        Ok(text)
    }
}

fn describe(certificate: &X509Certificate<'_>) -> String {
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
    format!(
        "  kind      {kind}\n  names     {names}\n  subject   {}\n  issuer    {}\n  serial    {}\n  valid     {} to {} ({left})\n",
        certificate.subject(),
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

#[cfg(test)]
mod tests {
    use mesh_identity::ca;

    use super::*;

    #[test]
    fn root_and_issuer_are_described() {
        let dir = tempfile::tempdir().unwrap();
        ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
        let files = vec![
            dir.path().join(ca::TRUST_ANCHORS),
            dir.path().join(ca::ISSUER_CERTIFICATE),
        ];
        let text = run(&Args { files }).unwrap();
        assert!(text.contains("subject   CN=root.cluster.local\n"), "{text}");
        assert!(
            text.contains(
                "subject   CN=identity.cluster.local\n  issuer    CN=root.cluster.local\n"
            ),
            "{text}"
        );
        assert!(text.contains("(364 days left)"), "{text}");
    }

    #[test]
    fn a_file_without_certificate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        ca::create_root_and_issuer(dir.path(), &ca::Options::default()).unwrap();
        let key = dir.path().join(ca::ISSUER_KEY);
        let error = run(&Args { files: vec![key] }).unwrap_err().to_string();
        assert!(
            error.ends_with("issuer.key holds no PEM certificate"),
            "{error}"
        );
        let error = run(&Args {
            files: vec!["/no/such".into()],
        })
        .unwrap_err()
        .to_string();
        assert!(
            error.starts_with("cannot read /no/such: No such file"),
            "{error}"
        );
    }
}
