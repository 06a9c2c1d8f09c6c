//! The programs of a cluster: fetched or built before anything starts.

use std::path::{Path, PathBuf};

use super::debian;
use super::golang::Build;

/// Kubernetes' own programs, as `integration/kubernetes/k8s/go.mod` has them.
const KUBERNETES: Build = Build {
    title: "Kubernetes",
    module: "k8s.io/kubernetes",
    folder: "k8s",
    packages: "tool",
    // Without these the API server calls itself v0.0.0-master, and clients that check versions refuse it.
    version_variable: Some("k8s.io/component-base/version"),
    files: &[
        include_str!("../../kubernetes/k8s/go.mod"),
        include_str!("../../kubernetes/k8s/go.sum"),
    ],
};
/// CoreDNS has a module of its own: its dependencies and those of Kubernetes want different versions.
const COREDNS: Build = Build {
    title: "CoreDNS",
    module: "github.com/coredns/coredns",
    folder: "coredns",
    packages: ".",
    version_variable: None,
    files: &[
        include_str!("../../kubernetes/coredns/go.mod"),
        include_str!("../../kubernetes/coredns/go.sum"),
        include_str!("../../kubernetes/coredns/main.go"),
    ],
};

/// Where the programs are.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    kubernetes: PathBuf,
    coredns: PathBuf,
    busybox: PathBuf,
}

impl Tools {
    /// Fetches and builds what isn't there yet: minutes for the first run on a machine, nothing for the others.
    pub(super) fn get() -> Result<Self, String> {
        debian::install()?;
        Ok(Self {
            kubernetes: KUBERNETES.built()?,
            coredns: COREDNS.built()?,
            busybox: debian::busybox()?,
        })
    }

    /// One of Kubernetes' programs.
    pub(super) fn kubernetes(&self, name: &str) -> PathBuf {
        self.kubernetes.join(name)
    }

    /// Where they are.
    pub(super) fn kubernetes_folder(&self) -> &Path {
        &self.kubernetes
    }

    /// The static binary of CoreDNS.
    pub(super) fn coredns(&self) -> PathBuf {
        self.coredns.join("coredns")
    }

    /// The static binary of busybox.
    pub(super) fn busybox(&self) -> PathBuf {
        self.busybox.join("bin/busybox")
    }

    /// All folders, for the environment of the inner process.
    pub(super) fn folders(&self) -> [&Path; 3] {
        [&self.kubernetes, &self.coredns, &self.busybox]
    }

    /// The opposite of [`Tools::folders`].
    pub(super) fn from_folders([kubernetes, coredns, busybox]: [PathBuf; 3]) -> Self {
        Self {
            kubernetes,
            coredns,
            busybox,
        }
    }
}
