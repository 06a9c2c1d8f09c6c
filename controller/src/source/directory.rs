//! Objects from a directory of manifests.
//!
//! For laptops, virtual machines and tests: the same YAML that `kubectl apply`
//! takes, read from the files of one directory (`.yaml`, `.yml`, `.json`) and
//! watched. A file is taken whole or not at all: while its present content
//! can't be used, what it said before stays in force, so that a half-saved file
//! or a typing error never takes a service down. Each bad content is reported
//! once, not on every look. An object that two files define comes from the file
//! whose name sorts last.

mod locate;
mod parse;
mod snapshot;
mod watch;

pub use parse::{documents, read};

use super::{Batch, Source};
use snapshot::Snapshot;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::sync::mpsc;

/// How often files are looked at even when the system reports no change:
/// some file systems never do.
const RESCAN: Duration = Duration::from_secs(10);

/// The directory can't be used at all.
#[derive(Debug, thiserror::Error)]
#[error("can't read the manifests directory {}: {cause}; check that it exists, is a directory and is readable", path.display())]
pub struct DirectoryError {
    path: PathBuf,
    cause: io::Error,
}

/// A directory of manifests.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Checks that the directory can be read.
    pub(crate) fn open(path: &Path) -> Result<Self, DirectoryError> {
        match std::fs::read_dir(path) {
            Ok(_) => Ok(Self {
                path: path.to_owned(),
            }),
            Err(cause) => Err(DirectoryError {
                path: path.to_owned(),
                cause,
            }),
        }
    }
}

impl Source for Directory {
    async fn run(self, batches: mpsc::Sender<Batch>) {
        // Watching starts before reading, so that no change falls in between.
        let mut changes = watch::start(&self.path);
        let mut snapshot = Snapshot::new(self.path);
        let mut first = true;
        loop {
            let read = tokio::task::spawn_blocking(move || {
                let batch = snapshot.read();
                (snapshot, batch)
            });
            let Ok((back, batch)) = read.await else {
                tracing::error!("Reading the manifests failed for good");
                return;
            };
            snapshot = back;
            if (first || !batch.is_empty()) && batches.send(batch).await.is_err() {
                return;
            }
            first = false;
            tokio::select! {
                () = batches.closed() => return,
                () = changes.settled() => {}
                () = tokio::time::sleep(RESCAN) => {}
            }
        }
    }
}

/// The objects of a manifest, for tests that say what they need in YAML.
#[cfg(test)]
pub(crate) fn objects(text: &str) -> Vec<crate::model::object::Object> {
    parse::manifest(text).expect("the manifest is good").objects
}
