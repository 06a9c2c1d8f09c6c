//! Follows the issuer's files and the trust bundle.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;

use super::{Issuer, IssuerError};
use crate::ca;
use crate::file::{Contents, FileError, FileSet};
use crate::metrics::IssuerMetrics;
use crate::trust::TrustBundle;

/// The keys of a TLS Secret.
const TLS_CERTIFICATE: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";

/// Where the issuer is. In Kubernetes, both are keys of one mounted Secret.
#[derive(Clone, Debug)]
pub struct IssuerFiles {
    /// PEM certificate, then its intermediates.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

impl IssuerFiles {
    /// The issuer of a directory: `issuer.crt` and `issuer.key` as `mesh identity ca`
    /// writes them, else `tls.crt` and `tls.key` as in a Secret of type
    /// `kubernetes.io/tls`, which is what cert-manager keeps.
    #[must_use]
    pub fn in_directory(dir: &Path) -> Self {
        let tls = !dir.join(ca::ISSUER_CERTIFICATE).exists() && dir.join(TLS_CERTIFICATE).exists();
        let (certificate, key) = match tls {
            true => (TLS_CERTIFICATE, TLS_KEY),
            false => (ca::ISSUER_CERTIFICATE, ca::ISSUER_KEY),
        };
        Self {
            certificate: dir.join(certificate),
            key: dir.join(key),
        }
    }
}

/// Why the issuer's files can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// They can be read, but not used.
    #[error("{error} (certificate {}, key {})", files.certificate.display(), files.key.display())]
    Issuer {
        /// Where it is.
        files: IssuerFiles,
        /// What is wrong with it.
        error: IssuerError,
    },
}

/// The newest good issuer. Clones see the same one; when the last is dropped, the files
/// are no longer followed.
#[derive(Clone, Debug)]
pub struct IssuerHandle(Arc<ArcSwap<Issuer>>);

impl IssuerHandle {
    /// A fixed issuer.
    #[must_use]
    pub fn fixed(issuer: Issuer) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(issuer)))
    }

    /// The issuer now in use.
    #[must_use]
    pub fn current(&self) -> Arc<Issuer> {
        self.0.load_full()
    }
}

/// Loads the issuer and keeps following its files and the trust bundle. A bad new
/// version is logged and counted, and the last good one stays in use.
///
/// Must be called within a tokio runtime.
///
/// # Errors
/// When the first version can't be used.
pub fn watch(
    files: IssuerFiles,
    trust: TrustBundle,
    interval: Duration,
) -> Result<IssuerHandle, LoadError> {
    let mut watched = FileSet::new([
        ("issuer certificate", files.certificate.clone()),
        ("issuer key", files.key.clone()),
    ]);
    let metrics = IssuerMetrics::new();
    let issuer = load(watched.read(), &files, &trust)?;
    metrics.loaded(&issuer);
    let handle = IssuerHandle::fixed(issuer);
    let target = Arc::downgrade(&handle.0);
    tokio::spawn(
        Follower {
            watched,
            files,
            trust,
            metrics,
            target,
        }
        .run(interval),
    );
    Ok(handle)
}

fn load(
    [certificate, key]: Contents<2>,
    files: &IssuerFiles,
    trust: &TrustBundle,
) -> Result<Issuer, LoadError> {
    Issuer::from_pem(&certificate?, &key?, trust, SystemTime::now()).map_err(|error| {
        LoadError::Issuer {
            files: files.clone(),
            error,
        }
    })
}

struct Follower {
    watched: FileSet<2>,
    files: IssuerFiles,
    trust: TrustBundle,
    metrics: IssuerMetrics,
    target: Weak<ArcSwap<Issuer>>,
}

impl Follower {
    async fn run(mut self, interval: Duration) {
        let mut anchors = self.trust.changed();
        loop {
            let anchors_changed = tokio::select! {
                () = tokio::time::sleep(interval) => false,
                changed = anchors.changed() => changed.is_ok(),
            };
            let Some(target) = self.target.upgrade() else {
                return;
            };
            let contents = match self.watched.poll() {
                Some(contents) => Some(contents),
                None if anchors_changed => Some(self.watched.read()),
                None => None,
            };
            if let Some(contents) = contents {
                self.reload(&target, contents);
            }
            self.metrics.tick(&target.load());
        }
    }

    fn reload(&self, target: &ArcSwap<Issuer>, contents: Contents<2>) {
        match load(contents, &self.files, &self.trust) {
            Ok(issuer) => {
                tracing::info!(certificate = %self.files.certificate.display(), "Issuer reloaded");
                self.metrics.loaded(&issuer);
                target.store(Arc::new(issuer));
            }
            Err(error) => {
                self.metrics.refused();
                tracing::error!(%error, "Issuer not usable, keeping the last good one");
            }
        }
    }
}
