//! What the balancer tells others about itself, so that it need not know a metrics library.

use crate::Policy;
use std::time::Duration;

/// Receives a balancer's events. Every method does nothing unless it is overridden.
///
/// The methods run on the request and update paths: count, and return. They must not call back into the balancer.
pub trait Observer: Send + Sync + 'static {
    /// Endpoints are chosen by `policy` from now on.
    fn policy(&self, policy: &Policy) {
        let _ = policy;
    }

    /// An update from discovery was applied; the balancer now has `endpoints` endpoints.
    fn updated(&self, kind: UpdateKind, endpoints: usize) {
        let _ = (kind, endpoints);
    }

    /// The number of endpoints that can take requests changed to `ready`.
    fn ready(&self, ready: usize) {
        let _ = ready;
    }

    /// The gate of one endpoint opened (`true`) or was shut (`false`).
    fn gate(&self, open: bool) {
        let _ = open;
    }

    /// A request entered or left the queue, in which `waiting` requests remain.
    fn queue(&self, waiting: usize) {
        let _ = waiting;
    }

    /// A request left the queue, served or not, in which it had been for `waited`.
    fn queued(&self, waited: Duration) {
        let _ = waited;
    }

    /// The queue entered (`true`) or left (`false`) the failfast state.
    fn failfast(&self, active: bool) {
        let _ = active;
    }
}

/// Observes nothing.
impl Observer for () {}

/// The kind of an applied update, for metric labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpdateKind {
    /// The whole set was replaced.
    Reset,
    /// Endpoints were added or changed.
    Add,
    /// Endpoints were removed.
    Remove,
    /// The service has no endpoints, or does not exist.
    Empty,
}
