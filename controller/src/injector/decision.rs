//! What the injector decides about an object, and why.

use super::{annotations::BadAnnotation, patch::Patch, target::Unreadable};
use std::fmt;

/// What to do with a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Apply the patch.
    Inject {
        /// On the object as it came.
        patch: Patch,
        /// What the user should know, as sentences.
        warnings: Vec<String>,
    },
    /// Leave it as it is.
    Skip(Skip),
    /// Do not let it run: what it says of itself makes no sense.
    Refuse(Vec<BadAnnotation>),
}

/// Why a pod is left as it is (features.md 1.9).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Skip {
    /// Redirecting would redirect the whole node.
    #[error("hostNetwork is true: redirecting its connections would redirect the node's")]
    HostNetwork,
    /// Ours or Linkerd's.
    #[error("it has a proxy already")]
    SidecarExists,
    /// No pod, and nothing that makes pods.
    #[error("{0}")]
    Unsupported(Unsupported),
    /// Nobody asked for it.
    #[error("neither it nor its namespace is annotated mesh.dev/inject: enabled")]
    NotAnnotated,
    /// Somebody asked for the contrary.
    #[error("it or its namespace is annotated mesh.dev/inject: disabled")]
    Disabled,
    /// `mesh.dev/inject: maybe`, on the pod.
    #[error("{0}")]
    InvalidOnWorkload(BadAnnotation),
    /// The same on the namespace, and nothing on the pod.
    #[error("{0}")]
    InvalidOnNamespace(BadAnnotation),
}

/// What an object is that can't be injected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Its kind.
    #[error("a {0} runs no containers of its own")]
    Kind(String),
    /// It says that it is a pod.
    #[error("it can't be read as a pod: {0}")]
    Unreadable(#[from] Unreadable),
}

impl Skip {
    /// Every label, for metrics to start at 0.
    pub const LABELS: [&str; 7] = [
        "host_network_enabled",
        "sidecar_already_exists",
        "unsupported_resource",
        "injection_enable_annotation_absent",
        "injection_disable_annotation_present",
        "invalid_inject_annotation_at_workload",
        "invalid_inject_annotation_at_ns",
    ];

    /// As Linkerd calls it, for metrics and events.
    #[must_use]
    pub fn label(&self) -> &'static str {
        let index = match self {
            Self::HostNetwork => 0,
            Self::SidecarExists => 1,
            Self::Unsupported(_) => 2,
            Self::NotAnnotated => 3,
            Self::Disabled => 4,
            Self::InvalidOnWorkload(_) => 5,
            Self::InvalidOnNamespace(_) => 6,
        };
        Self::LABELS[index]
    }

    /// Somebody wanted a proxy here, or can't be understood: worth a warning. The
    /// others are what was asked for.
    #[must_use]
    pub fn is_unexpected(&self) -> bool {
        match self {
            Self::HostNetwork | Self::InvalidOnWorkload(_) | Self::InvalidOnNamespace(_) => true,
            Self::Unsupported(unsupported) => matches!(unsupported, Unsupported::Unreadable(_)),
            Self::SidecarExists | Self::NotAnnotated | Self::Disabled => false,
        }
    }
}

/// How the proxy treats outbound traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `mesh.dev/inject: enabled`.
    Enabled,
    /// `mesh.dev/inject: ingress`: routes by the request's name, not its address.
    Ingress,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "enabled",
            Self::Ingress => "ingress",
        })
    }
}
