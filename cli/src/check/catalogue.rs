//! What a check is, and which there are.

use super::checks;
use super::{Finding, Snapshot};

/// One check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    /// Its name: a section of docs/checks.
    pub(crate) id: &'static str,
    /// What is so when all is well.
    pub(crate) what: &'static str,
    /// A problem is a warning, which does not fail the run.
    pub(crate) warns: bool,
    /// May come right by itself soon: worth waiting for.
    pub(crate) retried: bool,
    /// Nothing after it makes sense without it.
    pub(crate) fatal: bool,
    pub(crate) look: fn(&Snapshot) -> Finding,
}

/// Checks that belong together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Category {
    /// Its name: a page of docs/checks.
    pub(crate) name: &'static str,
    pub(crate) checks: &'static [Check],
}

impl Check {
    /// A check whose problem is a failure, once and for all.
    pub(crate) const fn new(
        id: &'static str,
        what: &'static str,
        look: fn(&Snapshot) -> Finding,
    ) -> Self {
        Self {
            id,
            what,
            warns: false,
            retried: false,
            fatal: false,
            look,
        }
    }

    /// Its problem is a warning.
    pub(crate) const fn warns(self) -> Self {
        Self {
            warns: true,
            ..self
        }
    }

    /// It is looked at again for a while.
    pub(crate) const fn retried(self) -> Self {
        Self {
            retried: true,
            ..self
        }
    }

    /// Its failure ends the run.
    pub(crate) const fn fatal(self) -> Self {
        Self {
            fatal: true,
            ..self
        }
    }
}

/// Which part of the catalogue is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Before an install.
    Pre,
    /// The control plane.
    ControlPlane,
    /// The control plane and the proxies.
    Proxies,
}

/// The categories of a run, in order.
pub(crate) fn plan(plan: Plan) -> Vec<Category> {
    let mut categories = checks::KUBERNETES.to_vec();
    match plan {
        Plan::Pre => categories.extend(checks::PRE),
        Plan::ControlPlane => categories.extend(checks::CONTROL_PLANE),
        Plan::Proxies => {
            categories.extend(checks::CONTROL_PLANE);
            categories.extend(checks::PROXIES);
        }
    }
    categories
}

/// Every category there is.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = Category> {
    let parts = [
        checks::KUBERNETES,
        checks::PRE,
        checks::CONTROL_PLANE,
        checks::PROXIES,
    ];
    parts.into_iter().flatten().copied()
}
