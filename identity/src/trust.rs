//! The trust bundle: the root certificates that a peer's chain must lead to.
//!
//! A bundle is shared and replaceable: everything that verifies holds the same
//! [`TrustBundle`] and asks it at each handshake, so that a new root is in force
//! at once, with no configuration rebuilt and no connection dropped. Several
//! anchors at a time are the normal state during a rotation.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::sync::watch;

use crate::file::FileSet;
pub use crate::file::{FileError, POLL_INTERVAL};

#[cfg(test)]
mod tests;

/// A shared, replaceable set of trust anchors. Clones see the same anchors.
#[derive(Clone)]
pub struct TrustBundle(Arc<Inner>);

struct Inner {
    anchors: ArcSwap<Anchors>,
    changed: watch::Sender<()>,
}

/// The anchors of one moment: as the verifier wants them, and whole.
pub(crate) struct Anchors {
    pub(crate) roots: RootCertStore,
    /// In the order of `roots`; kept because the verifier's form has no end date.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

/// Why a text or file is no trust bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file was read, but is no bundle.
    #[error("{error} (file {path})", path = path.display())]
    InFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<TrustError>,
    },
    /// No certificate in it.
    #[error("the trust bundle has no certificate; expected PEM with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// PEM with an error.
    #[error("the trust bundle is not valid PEM: {0}")]
    Pem(String),
    /// PEM with something else inside.
    #[error("certificate {index} of the trust bundle can't be an anchor: {reason}")]
    Certificate {
        /// Counted from 1.
        index: usize,
        /// What the parser said.
        reason: String,
    },
}

impl TrustBundle {
    /// Reads one or more PEM certificates.
    ///
    /// # Errors
    /// When there is no certificate, or one that can't be an anchor.
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        Ok(Self(Arc::new(Inner {
            anchors: ArcSwap::from_pointee(parse(pem.as_bytes())?),
            changed: watch::Sender::new(()),
        })))
    }

    /// Reads a file and keeps following it until the last clone is dropped. A
    /// bad new version is logged, and the last good one stays in force.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the file's first version can't be used.
    pub fn watch_file(path: impl Into<PathBuf>, interval: Duration) -> Result<Self, TrustError> {
        let path = path.into();
        let mut files = FileSet::new([("trust anchors", path.clone())]);
        let [content] = files.read();
        let bundle = Self(Arc::new(Inner {
            anchors: ArcSwap::from_pointee(parse_file(&path, content)?),
            changed: watch::Sender::new(()),
        }));
        tokio::spawn(follow(files, path, interval, Arc::downgrade(&bundle.0)));
        Ok(bundle)
    }

    /// Puts other anchors in force, for whoever holds a clone.
    ///
    /// # Errors
    /// As [`TrustBundle::from_pem`]; the bundle is then left as it was.
    pub fn replace_pem(&self, pem: &str) -> Result<(), TrustError> {
        self.0.replace(parse(pem.as_bytes())?);
        Ok(())
    }

    /// How many anchors are in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.anchors().certificates.len()
    }

    /// Never true: a bundle without anchors is refused when it is read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The anchors as PEM, without what else a file may hold (comments, keys).
    #[cfg(feature = "server")]
    #[must_use]
    pub fn to_pem(&self) -> String {
        let anchors = self.anchors();
        let each = anchors.certificates.iter();
        each.map(|der| crate::file::pem("CERTIFICATE", der))
            .collect()
    }

    /// SHA-256 of the anchors in hexadecimal digits, the same whatever their order: tells
    /// whether two processes trust the same.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let anchors = self.anchors();
        let mut each: Vec<&[u8]> = anchors.certificates.iter().map(AsRef::as_ref).collect();
        each.sort_unstable();
        let mut context = digest::Context::new(&digest::SHA256);
        each.iter()
            .for_each(|certificate| context.update(certificate));
        let digest = context.finish();
        digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The anchors now in force.
    pub(crate) fn anchors(&self) -> Arc<Anchors> {
        self.0.anchors.load_full()
    }

    /// Told each time when the anchors are replaced. Does not keep the bundle alive.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }
}

impl Inner {
    fn replace(&self, anchors: Anchors) {
        self.anchors.store(Arc::new(anchors));
        self.changed.send_replace(());
    }
}

impl std::fmt::Debug for TrustBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrustBundle({} anchors)", self.len())
    }
}

async fn follow(mut files: FileSet<1>, path: PathBuf, interval: Duration, bundle: Weak<Inner>) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(bundle) = bundle.upgrade() else {
            return;
        };
        let Some([content]) = files.poll() else {
            continue;
        };
        match parse_file(&path, content) {
            Ok(anchors) => {
                let count = anchors.certificates.len();
                tracing::info!(path = %path.display(), anchors = count, "Trust bundle reloaded");
                bundle.replace(anchors);
            }
            Err(error) => {
                tracing::error!(%error, "Trust bundle not usable, keeping the last good one");
            }
        }
    }
}

fn parse_file(path: &Path, content: Result<Vec<u8>, FileError>) -> Result<Anchors, TrustError> {
    parse(&content?).map_err(|error| TrustError::InFile {
        path: path.to_owned(),
        error: Box::new(error),
    })
}

fn parse(pem: &[u8]) -> Result<Anchors, TrustError> {
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for (index, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem)) {
        let certificate = certificate.map_err(|e| TrustError::Pem(e.to_string()))?;
        roots
            .add(certificate.clone())
            .map_err(|e| TrustError::Certificate {
                index,
                reason: e.to_string(),
            })?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(TrustError::NoCertificate);
    }
    Ok(Anchors {
        roots,
        certificates,
    })
}
