//! Why a cluster gave no answer. Each text says what, where and what to do.

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

/// Where a kubeconfig was looked for, and a pod's service account after that.
pub(super) fn tried() -> String {
    let variable = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty());
    let files: Vec<PathBuf> = match &variable {
        Some(list) => std::env::split_paths(list).collect(),
        None => std::env::home_dir()
            .map(|home| home.join(".kube/config"))
            .into_iter()
            .collect(),
    };
    let from = match variable {
        Some(_) => "KUBECONFIG",
        None => "KUBECONFIG is not set",
    };
    let files: Vec<_> = files.iter().map(|file| state(file)).collect();
    format!("{from}, {}, and this is no pod", files.join(", "))
}

fn state(file: &std::path::Path) -> String {
    match std::fs::metadata(file) {
        Ok(_) => format!("{} can't be used", file.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("{} does not exist", file.display())
        }
        Err(error) => format!("{}: {error}", file.display()),
    }
}
