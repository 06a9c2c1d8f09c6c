//! A certificate authority of the demo's own, and a token for each workload.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_identity::ca::{self, CaError};
use mesh_identity::token::AUDIENCE;
use mesh_identity::token::local::{LocalTokenKey, TokenKeyError};

use super::error::LocalError;
use super::proxy_env::IdentityFiles;
use super::topology::{NAMESPACE, Topology, Workload};

/// Longer than anyone leaves a demo running.
const TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// The files, in one folder.
#[derive(Clone, Debug)]
pub(crate) struct Identities {
    dir: PathBuf,
    trust_anchors: PathBuf,
    tokens: Vec<(String, PathBuf)>,
}

impl Identities {
    /// Makes root, issuer, token key and tokens in `dir`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn create(dir: &Path, topology: Topology) -> Result<Self, LocalError> {
        ca::create_root_and_issuer(dir, &ca::Options::default()).map_err(ca_error)?;
        let key = LocalTokenKey::create(dir).map_err(token_error)?;
        let tokens = topology.workloads().map(|workload| {
            let path = dir.join(format!("{}.token", workload.name));
            let token = key
                .sign(NAMESPACE, workload.account, AUDIENCE, TOKEN_LIFETIME)
                .map_err(token_error)?;
            std::fs::write(&path, token).map_err(|source| LocalError::Write {
                path: path.clone(),
                source,
            })?;
            Ok((workload.name, path))
        });
        let tokens = tokens.collect::<Result<_, LocalError>>()?;
        Ok(Self {
            dir: dir.to_owned(),
            trust_anchors: dir.join(ca::TRUST_ANCHORS),
            tokens,
        })
    }

    /// The folder that the identity service reads.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the workload's proxy reads.
    pub(crate) fn files(&self, workload: &Workload) -> IdentityFiles<'_> {
        let token = self.tokens.iter().find(|(name, _)| *name == workload.name);
        let token = token
            .map(|(_, path)| path.as_path())
            .expect("every workload of the topology has a token");
        IdentityFiles {
            trust_anchors: &self.trust_anchors,
            token,
        }
    }
}

fn ca_error(error: CaError) -> LocalError {
    match error {
        CaError::Write { path, source } => LocalError::Write { path, source },
        other => LocalError::Identity(other.to_string()),
    }
}

fn token_error(error: TokenKeyError) -> LocalError {
    match error {
        TokenKeyError::Write(error) => ca_error(error),
        other => LocalError::Identity(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_a_token() {
        let dir = tempfile::tempdir().unwrap();
        let topology = Topology::new("127.0.1".parse().unwrap());
        let identities = Identities::create(dir.path(), topology).unwrap();
        for workload in topology.workloads() {
            let token = std::fs::read_to_string(identities.files(&workload).token).unwrap();
            assert_eq!(token.split('.').count(), 3, "{token} is no JWT");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let topology = Topology::new("127.0.1".parse().unwrap());
        let error = Identities::create(Path::new("/proc/mesh"), topology).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot write /proc/mesh"),
            "{error}"
        );
    }
}
