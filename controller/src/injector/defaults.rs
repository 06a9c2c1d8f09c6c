//! `--proxy-defaults`: the file of what the mesh was installed with.
//!
//! A map from names of annotations, without prefix, to values. A ConfigMap that is
//! mounted changes under us; a bad new version is told of, and the last good one stays
//! in force: one typing error must not stop every injection.

use super::{Annotations, BadConfig, Config};
use crate::{controller::readiness::Readiness, metrics};
use arc_swap::ArcSwap;
use mesh_identity::file::{FileError, FileSet, POLL_INTERVAL};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Under what name `/ready` tells of it.
const PART: &str = "proxy defaults";

/// Why a file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DefaultsError {
    /// It can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no map in YAML.
    #[error("{}: expected a map such as `proxy-log-level: info`: {cause}", path.display())]
    Yaml {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        cause: String,
    },
    /// A key or its value.
    #[error("{}: {cause}", path.display())]
    Setting {
        /// Which file.
        path: PathBuf,
        /// Which key, and what is right.
        cause: BadConfig,
    },
}

/// The file, followed.
pub(crate) struct Defaults {
    path: PathBuf,
    files: FileSet<1>,
}

impl Defaults {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            files: FileSet::new([("proxy defaults", path.to_owned())]),
        }
    }

    /// What the file says now, checked in the place of what `config` has.
    ///
    /// # Errors
    /// When it can't be read, or has a name or value that no injection could use.
    pub(crate) fn read(&mut self, config: &Config) -> Result<Annotations, DefaultsError> {
        let [content] = self.files.read();
        self.checked(content, config)
    }

    /// Puts new versions into force, for as long as the process lives.
    pub(crate) async fn follow(mut self, config: Arc<ArcSwap<Config>>, readiness: Readiness) {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let Some([content]) = self.files.poll() else {
                continue;
            };
            let present = config.load_full();
            match self.checked(content, &present) {
                Ok(install) => {
                    tracing::info!(path = %self.path.display(), settings = install.len(), "Proxy defaults reloaded");
                    let present = Config::clone(&present);
                    config.store(Arc::new(Config { install, ..present }));
                    readiness.done(PART);
                }
                Err(error) => {
                    metrics::source_error("proxy-defaults");
                    let why = format!("the last good version stays: {error}");
                    tracing::error!("Can't use the proxy defaults, {why}");
                    readiness.trouble(PART, &why);
                }
            }
        }
    }

    fn checked(
        &self,
        content: Result<Vec<u8>, FileError>,
        config: &Config,
    ) -> Result<Annotations, DefaultsError> {
        let content = match content {
            // An install that changes nothing.
            Err(FileError::Empty { .. }) => Vec::new(),
            content => content?,
        };
        let path = || self.path.clone();
        let install = parse(&content).map_err(|cause| DefaultsError::Yaml {
            path: path(),
            cause,
        })?;
        let config = Config {
            install,
            ..config.clone()
        };
        match config.check() {
            Ok(()) => Ok(config.install),
            Err(cause) => Err(DefaultsError::Setting {
                path: path(),
                cause,
            }),
        }
    }
}

fn parse(content: &[u8]) -> Result<Annotations, String> {
    let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    let map: Option<Annotations> =
        serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    Ok(map.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(file: &Path, text: &str) {
        fs::write(file.with_extension("new"), text).unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
    }

    #[test]
    fn scalars_are_taken_as_they_are_written() {
        let text = "proxy-cpu-limit: 2\nproxy-await: enabled\nproxy-enable-native-sidecar: false\nproxy-version: 1.10\nproxy-uid: '2102'\n";
        let map = parse(text.as_bytes()).unwrap();
        let values: Vec<_> = map.values().map(String::as_str).collect();
        assert_eq!(values, ["enabled", "2", "false", "2102", "1.10"]);
        for nothing in ["", "# nothing\n", "{}"] {
            assert_eq!(parse(nothing.as_bytes()).unwrap(), Annotations::new());
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("proxy-defaults.yaml");
        for (text, parts) in [
            ("proxy-uid: 0\n", ["proxy-uid", "\"0\"", "numeric id"]),
            ("proxy-uidd: 1\n", ["there is no setting", "proxy-uidd", ""]),
            ("[1, 2]\n", ["expected a map", "", ""]),
            ("proxy-uid: {a: 1}\n", ["expected a map", "", ""]),
        ] {
            write(&file, text);
            let error = Defaults::new(&file).read(&Config::default()).unwrap_err();
            let error = error.to_string();
            assert!(
                error.starts_with(&format!("{}: ", file.display())),
                "{error}"
            );
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
        let error = Defaults::new(&dir.path().join("none")).read(&Config::default());
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("can't read the proxy defaults file"),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_version_is_taken_and_a_bad_one_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("proxy-defaults.yaml");
        write(&file, "proxy-uid: 3000\n");
        let mut defaults = Defaults::new(&file);
        let install = defaults.read(&Config::default()).unwrap();
        let config = Arc::new(ArcSwap::from_pointee(Config {
            install,
            ..Config::default()
        }));
        let readiness = Readiness::default();
        let mut text = readiness.text();
        tokio::spawn(defaults.follow(config.clone(), readiness));
        let uid = || config.load().install["proxy-uid"].clone();
        assert_eq!(uid(), "3000");

        write(&file, "proxy-uid: root\n");
        let told = text.wait_for(|text| text.contains("proxy-uid")).await;
        assert!(told.unwrap().starts_with("proxy defaults: the last good"));
        assert_eq!(uid(), "3000");

        write(&file, "proxy-uid: 3001\n");
        text.wait_for(String::is_empty).await.unwrap();
        assert_eq!(uid(), "3001");
    }
}
