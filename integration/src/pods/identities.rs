//! A certificate authority for each cluster, and tokens for its pods.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_identity::ca;
use mesh_identity::token::AUDIENCE;
use mesh_identity::token::local::LocalTokenKey;

use super::manifests::NAMESPACE;

/// Namespace of the control plane, part of every identity.
pub(super) const MESH_NAMESPACE: &str = "mesh";
/// Longer than any test.
const TOKEN_LIFETIME: Duration = Duration::from_secs(86_400);

/// Files in one folder.
#[derive(Debug)]
pub(super) struct Identities {
    dir: PathBuf,
    key: LocalTokenKey,
}

impl Identities {
    pub(super) fn create(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        ca::create_root_and_issuer(dir, &ca::Options::default()).unwrap();
        let key = LocalTokenKey::create(dir).unwrap();
        let dir = dir.to_owned();
        Self { dir, key }
    }

    /// What the identity service reads.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn trust_anchors(&self) -> PathBuf {
        self.dir.join(ca::TRUST_ANCHORS)
    }

    /// A file with a token of this service account.
    pub(super) fn token(&self, namespace: &str, account: &str) -> PathBuf {
        let token = self.key.sign(namespace, account, AUDIENCE, TOKEN_LIFETIME);
        let path = self.dir.join(format!("{namespace}-{account}.token"));
        std::fs::write(&path, token.unwrap()).unwrap();
        path
    }
}

/// The identity of a pod with this service account.
pub(super) fn identity(account: &str) -> String {
    named(account, NAMESPACE)
}

/// The identity of a part of the control plane.
pub(super) fn control_plane(account: &str) -> String {
    named(account, MESH_NAMESPACE)
}

fn named(account: &str, namespace: &str) -> String {
    format!("{account}.{namespace}.serviceaccount.identity.{MESH_NAMESPACE}.cluster.local")
}
