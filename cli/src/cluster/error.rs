//! Why a cluster gave no answer. Each text says what, where and what to do.

use std::ffi::OsString;
use std::path::PathBuf;

use mesh_identity::kubernetes::AccessError;
use thiserror::Error;

use super::PodName;
use crate::local::GetError;

/// Why it gave none.
#[derive(Debug, Error)]
pub(crate) enum ClusterError {
    #[error(
        "no kubeconfig: {0}; name one with --kubeconfig or KUBECONFIG, and try it with `kubectl cluster-info`"
    )]
    NoKubeconfig(String),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error(
        "`{0}` can't be the name of a user or group: it has characters that no HTTP header takes"
    )]
    User(String),
    /// The cause says whether it was reached.
    #[error("{cause} (the API server is {address})")]
    Request { address: String, cause: String },
    #[error(
        "no pod of mesh-{component} in namespace {namespace} is ready{found}; `mesh check` tells why, and --mesh-namespace names another namespace"
    )]
    NotReady {
        component: String,
        namespace: String,
        /// What there is instead, after a colon.
        found: String,
    },
    #[error("there is no pod {0}; `kubectl get pods -A` shows what there is")]
    NoPod(PodName),
    #[error("can't forward port {port} of pod {pod}: {cause}")]
    Forward {
        pod: PodName,
        port: u16,
        cause: String,
    },
    #[error("pod {pod} gave no answer on port {port}, path {path}: {source}")]
    Get {
        pod: PodName,
        port: u16,
        path: String,
        source: GetError,
    },
    #[error("pod {pod} answered {status} on port {port}, path {path}")]
    Status {
        pod: PodName,
        port: u16,
        path: String,
        status: http::StatusCode,
    },
}

/// Where a kubeconfig was looked for.
pub(super) fn tried() -> String {
    let missing: Vec<_> = kubeconfigs()
        .iter()
        .map(|file| format!("{} does not exist", file.display()))
        .collect();
    let missing = missing.join(", ");
    match variable() {
        Some(_) => format!("{missing}, which KUBECONFIG names"),
        None => format!("KUBECONFIG is not set, {missing}"),
    }
}

/// Whether one is there, so that something is wrong with it.
pub(super) fn has_kubeconfig() -> bool {
    kubeconfigs().iter().any(|file| file.exists())
}

fn kubeconfigs() -> Vec<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".kube/config"));
    match variable() {
        Some(list) => std::env::split_paths(&list).collect(),
        None => home().into_iter().collect(),
    }
}

fn variable() -> Option<OsString> {
    std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty())
}
