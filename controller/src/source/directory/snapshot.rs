//! What the files of a directory say, and what changed since the last look.

use super::parse::{self, Manifest};
use crate::{
    metrics,
    model::object::{Change, Object, ObjectKey},
    source::Batch,
};
use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
};

/// More than any manifest; keeps a stray file from filling the memory.
const LARGEST_FILE: u64 = 16 << 20;

/// The last look at a directory.
#[derive(Debug)]
pub(super) struct Snapshot {
    path: PathBuf,
    files: BTreeMap<PathBuf, File>,
    objects: BTreeMap<ObjectKey, Object>,
    /// Objects defined twice that have been reported.
    doubles: HashSet<ObjectKey>,
    unreadable: bool,
}

#[derive(Debug, Default)]
struct File {
    stamp: Option<Stamp>,
    /// What the file said when it last made sense.
    good: Vec<Object>,
    broken: bool,
}

/// Tells one state of a file from the next without reading it: inode, length,
/// and when content or permissions last changed, in seconds and nanoseconds.
type Stamp = [i128; 4];

impl Snapshot {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            files: BTreeMap::new(),
            objects: BTreeMap::new(),
            doubles: HashSet::new(),
            unreadable: false,
        }
    }

    /// Looks again and returns what changed.
    pub(super) fn read(&mut self) -> Batch {
        let paths = match manifests(&self.path) {
            Ok(paths) => paths,
            Err(error) => {
                if !std::mem::replace(&mut self.unreadable, true) {
                    metrics::source_error("directory");
                    tracing::error!(path = %self.path.display(), %error, "Can't list the manifests; the last state stays");
                }
                return Batch::new();
            }
        };
        self.unreadable = false;
        self.files.retain(|path, _| paths.contains(path));
        for path in paths {
            self.files.entry(path.clone()).or_default().read(&path);
        }
        metrics::broken_files(self.files.values().filter(|file| file.broken).count());
        self.changes()
    }

    fn changes(&mut self) -> Batch {
        let mut new = BTreeMap::new();
        let mut doubles = HashSet::new();
        for (path, file) in &self.files {
            for object in &file.good {
                let key = object.key();
                if new.insert(key.clone(), object).is_some() {
                    if !self.doubles.contains(&key) {
                        tracing::warn!(object = %key, file = %path.display(), "Defined more than once; the last one counts");
                    }
                    doubles.insert(key);
                }
            }
        }
        let gone = self.objects.keys().filter(|key| !new.contains_key(key));
        let mut batch: Batch = gone.cloned().map(Change::Delete).collect();
        let changed = new
            .iter()
            .filter(|(key, object)| self.objects.get(key) != Some(object));
        batch.extend(changed.map(|(_, object)| Change::Apply((*object).clone())));
        self.objects = new
            .into_iter()
            .map(|(key, object)| (key, object.clone()))
            .collect();
        self.doubles = doubles;
        batch
    }
}

impl File {
    /// Reads the file if it has changed since the last time.
    fn read(&mut self, path: &Path) {
        let stamp = stamp(path);
        if stamp.is_some() && stamp == self.stamp {
            return;
        }
        let known_bad = stamp.is_none() && self.broken;
        self.stamp = stamp;
        match load(path) {
            Ok(Manifest { objects, warnings }) => {
                for warning in warnings {
                    tracing::warn!(file = %path.display(), "{warning}");
                }
                if self.broken {
                    tracing::info!(file = %path.display(), "The manifest can be used again");
                }
                self.good = objects;
                self.broken = false;
            }
            Err(_) if known_bad => {}
            Err(error) => {
                metrics::source_error("directory");
                tracing::error!(file = %path.display(), "Can't use the manifest, its last good state stays: {error}");
                self.broken = true;
            }
        }
    }
}

fn load(path: &Path) -> Result<Manifest, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > LARGEST_FILE {
        return Err(format!(
            "{size} bytes are more than the {LARGEST_FILE} allowed"
        ));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    parse::manifest(&text).map_err(|error| error.to_string())
}

/// Follows symbolic links: a mounted ConfigMap is made of them.
fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    let (inode, length) = (metadata.ino().into(), metadata.len().into());
    Some([
        inode,
        length,
        metadata.ctime().into(),
        metadata.ctime_nsec().into(),
    ])
}

/// The manifests of a directory: plain files with a known ending, not hidden.
fn manifests(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let known = path
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        let hidden = path
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        if known && !hidden && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;
