//! Somebody's cluster instead of our own: kind's, k3d's, a cloud's.

use std::env;
use std::path::PathBuf;

use super::cluster::Cluster;
use super::images::{self, Registry};

const KUBECONFIG: &str = "MESH_TEST_KUBECONFIG";
const REGISTRY: &str = "MESH_TEST_REGISTRY";

/// How to get at it, and at a registry that it pulls from.
#[derive(Debug)]
pub(super) struct External {
    kubeconfig: PathBuf,
    registry: Registry,
}

impl External {
    /// None when no cluster is named.
    pub(super) fn from_env() -> Option<Result<Self, String>> {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let kubeconfig = PathBuf::from(set(KUBECONFIG)?);
        let lacks = || {
            format!(
                "{KUBECONFIG} is set, but {REGISTRY}, which the cluster pulls images from, is not"
            )
        };
        let registry = set(REGISTRY).ok_or_else(lacks);
        Some(registry.map(|prefix| Self {
            kubeconfig,
            registry: Registry {
                prefix: prefix.trim_end_matches('/').to_owned(),
                // Nodes keep what they have pulled under a tag, so each run has its own.
                tag: format!("test-{:08x}", rand::random::<u32>()),
            },
        }))
    }

    /// Pushes the images and connects.
    pub(super) async fn cluster(&self) -> Result<Cluster, String> {
        let dir = env::temp_dir().join(&self.registry.tag);
        std::fs::create_dir_all(&dir).map_err(|error| format!("{} ({error})", dir.display()))?;
        let pushed = images::push_all(&self.registry, &dir);
        std::fs::remove_dir_all(&dir).ok();
        pushed?;
        Cluster::connect(&self.kubeconfig, self.registry.clone()).await
    }
}
