//! Makes a root and an issuer, for a demo or for a mesh without a CA of its own.
//!
//! The root signs the issuer and is then not needed until the next issuer, so
//! its key is handed out only when asked for, to be kept off line. A mesh whose
//! root key is gone rotates by a new root: both in the bundle for a while.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

/// File name of the trust anchors in an identity directory.
pub const TRUST_ANCHORS: &str = "ca.crt";
/// File name of the root's private key, when it is kept.
pub const ROOT_KEY: &str = "ca.key";
/// File name of the issuer certificate.
pub const ISSUER_CERTIFICATE: &str = "issuer.crt";
/// File name of the issuer's private key.
pub const ISSUER_KEY: &str = "issuer.key";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A date in a certificate ends with the year 9999.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);

/// What to make.
#[derive(Clone, Debug)]
pub struct Options {
    /// Trust domain of the mesh; part of both subjects.
    pub trust_domain: String,
    /// Life of the root.
    pub root_lifetime: Duration,
    /// Life of the issuer; no leaf outlives it.
    pub issuer_lifetime: Duration,
    /// How far before now both become valid, for peers whose clocks are behind.
    pub clock_skew: Duration,
    /// Also write the root's key.
    pub keep_root_key: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trust_domain: "cluster.local".to_owned(),
            root_lifetime: 10 * 365 * DAY,
            issuer_lifetime: 365 * DAY,
            clock_skew: Duration::from_secs(60),
            keep_root_key: false,
        }
    }
}

/// Why no root and issuer were made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// A file is already there.
    #[error(
        "{path} exists already; remove it or name another directory, as workloads may depend on it",
        path = .0.display()
    )]
    Exists(PathBuf),
    /// A file can't be written.
    #[error("can't write {path}: {source}", path = path.display())]
    Write {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The library refused, for example a trust domain that fits no certificate.
    #[error("can't make the certificates: {0}")]
    Certificate(#[from] rcgen::Error),
}

/// A root and the issuer that it signed.
pub struct RootAndIssuer {
    /// The root, self-signed.
    pub root: CertifiedIssuer<'static, KeyPair>,
    /// The issuer, signed by the root.
    pub issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Makes a root and an issuer in memory.
///
/// # Errors
/// When the library refuses the trust domain.
pub fn generate(options: &Options, now: SystemTime) -> Result<RootAndIssuer, CaError> {
    let root = CertifiedIssuer::self_signed(
        params("root", 1, options.root_lifetime, options, now),
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
    )?;
    let issuer = CertifiedIssuer::signed_by(
        params("identity", 0, options.issuer_lifetime, options, now),
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        &root,
    )?;
    Ok(RootAndIssuer { root, issuer })
}

/// Makes a root and an issuer and writes `ca.crt`, `issuer.crt`, `issuer.key`
/// (and `ca.key` if asked for); keys are readable by the owner only.
///
/// # Errors
/// When one of the files exists already (none is then written), or can't be written.
pub fn create_root_and_issuer(dir: &Path, options: &Options) -> Result<RootAndIssuer, CaError> {
    let made = generate(options, SystemTime::now())?;
    let mut files = vec![
        (TRUST_ANCHORS, made.root.pem(), 0o644),
        (ISSUER_CERTIFICATE, made.issuer.pem(), 0o644),
        (ISSUER_KEY, made.issuer.key().serialize_pem(), 0o600),
    ];
    if options.keep_root_key {
        files.push((ROOT_KEY, made.root.key().serialize_pem(), 0o600));
    }
    write_new(dir, &files)?;
    Ok(made)
}

/// Writes all files or, when one exists already, none.
pub(crate) fn write_new(dir: &Path, files: &[(&str, String, u32)]) -> Result<(), CaError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| CaError::Write { path, source }
    };
    fs::create_dir_all(dir).map_err(failed(dir))?;
    if let Some((name, ..)) = files.iter().find(|(name, ..)| dir.join(name).exists()) {
        return Err(CaError::Exists(dir.join(name)));
    }
    for (name, content, mode) in files {
        let path = dir.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(*mode)
            .open(&path)
            .and_then(|mut file| file.write_all(content.as_bytes()))
            .map_err(failed(&path))?;
    }
    Ok(())
}

fn params(
    role: &str,
    below: u8,
    lifetime: Duration,
    options: &Options,
    now: SystemTime,
) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    subject.push(
        DnType::CommonName,
        format!("{role}.{}", options.trust_domain),
    );
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = (now - options.clock_skew).into();
    params.not_after = (now + lifetime.min(LONGEST)).into();
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            keep_root_key: true,
            ..Options::default()
        };
        create_root_and_issuer(dir.path(), &options).unwrap();
        for key in [ISSUER_KEY, ROOT_KEY] {
            let mode = fs::metadata(dir.path().join(key))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }

        fs::remove_file(dir.path().join(TRUST_ANCHORS)).unwrap();
        let error = create_root_and_issuer(dir.path(), &options)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("issuer.crt exists already"), "{error}");
        assert!(
            !dir.path().join(TRUST_ANCHORS).exists(),
            "nothing is written by halves"
        );
    }

    #[test]
    fn unwritable_directory_is_named() {
        let error = create_root_and_issuer(Path::new("/proc/mesh"), &Options::default());
        let error = error.err().unwrap().to_string();
        assert!(error.contains("can't write /proc/mesh"), "{error}");
    }
}
