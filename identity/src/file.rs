//! Small files that change under us: trust bundles, issuers, tokens.
//!
//! Changes are found by reading the file again every few seconds, not by
//! inotify. A Kubernetes volume changes by a swap of the `..data` link two
//! levels above the file, which file watchers see late or not at all, and inotify
//! instances are limited to 128 per user, while all proxies on a node share
//! one. Comparing content also sees a rewrite within one tick of the clock.
//! The files are a few kilobytes in the page cache, so a plain blocking read
//! (microseconds) costs less than a thread pool for it would.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;

/// How often watched files are read again.
pub const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Far above any real bundle or token; keeps a mistaken path (a log, a device) out of memory.
const MAX_SIZE: u64 = 1024 * 1024;

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Missing, not ours to read, a directory, ...
    #[error("can't read the {what} file {path}: {source}", path = path.display())]
    Read {
        /// What the file is for.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No content, or only white space.
    #[error("the {what} file {path} is empty", path = path.display())]
    Empty {
        /// What the file is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
    },
    /// More than 1 MiB.
    #[error("the {what} file {path} has more than 1 MiB, so it is something else", path = path.display())]
    TooLarge {
        /// What the file is for.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
    },
}

/// Reads a small file whole.
pub(crate) fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read {
        what,
        path: path.to_owned(),
        source,
    };
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut content))
        .map_err(failed)?;
    if content.len() as u64 > MAX_SIZE {
        return Err(FileError::TooLarge {
            what,
            path: path.to_owned(),
        });
    }
    if content.iter().all(u8::is_ascii_whitespace) {
        return Err(FileError::Empty {
            what,
            path: path.to_owned(),
        });
    }
    Ok(content)
}

/// The PEM form (RFC 7468).
#[cfg(feature = "server")]
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|&byte| char::from(byte)));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

/// Files that belong together and are looked at together.
#[derive(Debug)]
pub struct FileSet<const N: usize> {
    files: [(&'static str, PathBuf); N],
    seen: Option<Vec<Fingerprint>>,
}

/// What a look at a file found; a digest, so that keys don't stay in memory.
#[derive(Debug, PartialEq)]
enum Fingerprint {
    Content([u8; 32]),
    Failed(String),
}

/// The content of each file, or why there is none.
pub type Contents<const N: usize> = [Result<Vec<u8>, FileError>; N];

impl<const N: usize> FileSet<N> {
    /// Files and what each is for, which errors name.
    #[must_use]
    pub fn new(files: [(&'static str, PathBuf); N]) -> Self {
        Self { files, seen: None }
    }

    /// Reads all files whether or not they changed.
    pub fn read(&mut self) -> Contents<N> {
        let contents: Contents<N> =
            std::array::from_fn(|i| read(self.files[i].0, &self.files[i].1));
        self.seen = Some(contents.iter().map(fingerprint).collect());
        contents
    }

    /// Reads all files; `None` when nothing differs from the last look.
    pub fn poll(&mut self) -> Option<Contents<N>> {
        let before = self.seen.take();
        let contents = self.read();
        (before != self.seen).then_some(contents)
    }
}

fn fingerprint(content: &Result<Vec<u8>, FileError>) -> Fingerprint {
    match content {
        Err(error) => Fingerprint::Failed(error.to_string()),
        Ok(bytes) => {
            let digest = digest::digest(&digest::SHA256, bytes);
            Fingerprint::Content(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_files_say_what_and_where() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("empty"), " \n").unwrap();
        std::fs::write(at("big"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for (name, why) in [
            ("none", "No such file"),
            ("empty", "is empty"),
            ("big", "more than 1 MiB"),
            ("folder", "Is a directory"),
        ] {
            let error = read("token", &at(name)).unwrap_err().to_string();
            assert!(
                error.contains("token file") && error.contains(name) && error.contains(why),
                "{error}"
            );
        }
    }

    #[test]
    fn a_configmap_swap_is_seen() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("ca.crt"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/ca.crt", at("ca.crt")).unwrap();

        let mut files = FileSet::new([("trust anchors", at("ca.crt"))]);
        assert_eq!(files.read()[0].as_ref().unwrap(), b"one");
        assert!(files.poll().is_none());

        symlink("..2", at("..tmp")).unwrap();
        std::fs::rename(at("..tmp"), at("..data")).unwrap();
        assert_eq!(files.poll().unwrap()[0].as_ref().unwrap(), b"two");
        assert!(files.poll().is_none());

        std::fs::remove_file(at("ca.crt")).unwrap();
        assert!(files.poll().unwrap()[0].is_err());
        assert!(files.poll().is_none(), "the same failure is told once");
    }
}
