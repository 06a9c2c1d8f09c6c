//! A cluster at one moment, as far as checks look at it.
//!
//! A kind that can't be read is no error of the run: the snapshot keeps what the
//! API server said and what would allow it. One check reports all of these
//! (`k8s-access`), and those that needed the objects are skipped.

mod metrics;
mod objects;
mod observer;
mod probe;
mod rights;

use std::fmt::Display;

use k8s_openapi::jiff::Timestamp;

use super::Problem;
pub(crate) use metrics::Metrics;
pub(crate) use objects::Objects;
pub(crate) use observer::Observer;
#[cfg(test)]
pub(crate) use probe::Answer;
pub(crate) use probe::{Probe, Probes};
pub(crate) use rights::Right;

/// What a run is about.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Namespace of the control plane.
    pub(crate) mesh: String,
    /// Checks of proxies are about this namespace alone.
    pub(crate) namespace: Option<String>,
    /// The version that all parts should have.
    pub(crate) version: String,
}

impl Scope {
    /// Whether checks of proxies are about objects in this namespace.
    pub(crate) fn covers(&self, namespace: &str) -> bool {
        self.namespace
            .as_deref()
            .is_none_or(|only| only == namespace)
    }
}

/// Everything that checks see.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) scope: Scope,
    /// By the clock of this machine.
    pub(crate) now: Timestamp,
    /// Whether there is a way to the cluster, by the kubeconfig.
    pub(crate) client: Result<(), String>,
    /// What the API server calls itself: `v1.33.2`.
    pub(crate) version: Read<String>,
    pub(crate) objects: Objects,
    /// What the user may create for an install.
    pub(crate) rights: Read<Vec<Right>>,
    pub(crate) probes: Probes,
}

/// Something that was read, or why not.
pub(crate) type Read<T> = Result<T, Unread>;

/// Why something was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// This run has no use for it.
    NotAsked,
    /// It was refused, or there was no answer.
    Failed {
        /// As a role names it: `pods`.
        resource: &'static str,
        /// With what would help.
        why: String,
    },
}

impl From<&Unread> for Problem {
    fn from(unread: &Unread) -> Self {
        match unread {
            Unread::NotAsked => Self::skipped("not part of this run"),
            Unread::Failed { resource, .. } => {
                Self::skipped(format!("{resource} can't be read, see k8s-access"))
            }
        }
    }
}

/// What was read, for a check that can't do without.
///
/// # Errors
/// A reason to skip it.
pub(crate) fn seen<T>(read: &Read<T>) -> Result<&T, Problem> {
    read.as_ref().map_err(Problem::from)
}

impl Snapshot {
    /// Nothing is known yet.
    pub(crate) fn empty(scope: &Scope, now: Timestamp) -> Self {
        Self {
            scope: scope.clone(),
            now,
            client: Ok(()),
            version: Err(Unread::NotAsked),
            objects: Objects::default(),
            rights: Err(Unread::NotAsked),
            probes: Probes::default(),
        }
    }

    /// There is no way to the cluster.
    pub(crate) fn without_client(scope: &Scope, why: impl Display) -> Self {
        Self {
            client: Err(why.to_string()),
            ..Self::empty(scope, Timestamp::now())
        }
    }

    /// All that could not be read, and why.
    pub(crate) fn unread(&self) -> Vec<(&'static str, &str)> {
        let mut unread: Vec<_> = self.objects.unread().chain(failed(&self.rights)).collect();
        unread.dedup();
        unread
    }
}

/// The failure behind one reading.
fn failed<T>(read: &Read<T>) -> Option<(&'static str, &str)> {
    match read {
        Err(Unread::Failed { resource, why }) => Some((resource, why)),
        _ => None,
    }
}
