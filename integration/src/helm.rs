//! Helm, for the comparison of the chart with `mesh install`. It needs Go, but no cluster and no root.

use std::path::PathBuf;

use crate::{binaries, kubernetes::golang::Build};

const HELM: Build = Build {
    title: "Helm",
    module: "helm.sh/helm/v3",
    folder: "helm",
    packages: "tool",
    version_variable: None,
    files: &[
        include_str!("../kubernetes/helm/go.mod"),
        include_str!("../kubernetes/helm/go.sum"),
    ],
};

/// Helm's program, built the first time that a machine needs it (three minutes of processor time).
///
/// # Errors
/// When it can't be built, which it says.
pub fn program() -> Result<PathBuf, String> {
    Ok(HELM.built()?.join("helm"))
}

/// The command line under test.
///
/// # Errors
/// When it is not built.
pub fn mesh() -> Result<PathBuf, String> {
    binaries::find("mesh", "test-helm")
}
