//! The control plane as Kubernetes objects.
//!
//! Everything that `mesh install` can be told is in [`Values`], which is also `values.yaml` of the Helm chart and what the cluster keeps
//! (ConfigMap `mesh-config`), so that flags, a file, Helm and `mesh upgrade` mean the same thing by the same name:
//!
//! ```text
//! flags, --values, what the cluster keeps ──► values ──► check ──► objects ──► YAML or JSON
//!                     PEM files, or a new CA ──► credentials ──┘
//! ```
//!
//! Pure from the values on: same values and same certificates, same bytes. Objects are plain JSON, a file for each component; a test
//! reads each into the API's types and back, so that no misspelt field passes. Nothing is printed when anything is wrong: the output is
//! piped into `kubectl apply`, and half a control plane is worse than none.

mod check;
pub(crate) mod cluster;
pub(crate) mod credentials;
mod objects;
pub(crate) mod output;
pub(crate) mod values;

pub(crate) use check::{Mistake, check};
pub(crate) use credentials::Credentials;
pub(crate) use objects::all as objects;
pub(crate) use values::Values;

/// The ConfigMap that keeps the values.
pub(crate) const CONFIG: &str = "mesh-config";
/// Its key for the values.
pub(crate) const VALUES: &str = "values.yaml";
/// The Secret that the identity service signs with.
pub(crate) const ISSUER: &str = "mesh-identity-issuer";
/// What our objects have in common.
pub(crate) const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "mesh");
/// Whose control plane an object belongs to, by its namespace.
pub(crate) const CONTROL_PLANE: &str = "mesh.dev/control-plane-ns";

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
