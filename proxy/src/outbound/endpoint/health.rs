//! Whether an endpoint takes connections, and its way back when it does not.

use crate::{http::error::BoxError, outbound::Settings};
use mesh_balancer::{Gate, QueueError};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Why an endpoint of a backend last refused a connection: what a client that
/// waited in vain is told. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct LastRefusal(Arc<Mutex<Option<Arc<str>>>>);

/// How an endpoint's balancer hears whether it takes connections.
pub struct Reports {
    /// Shut while it does not.
    pub gate: Gate,
    /// Why it does not.
    pub refusal: LastRefusal,
    /// The backend is one address, and never has another endpoint.
    pub alone: bool,
}

/// Whether the endpoint takes connections, and its way back.
pub(super) struct Health {
    reports: Reports,
    backoff: crate::control::Backoff,
    recovering: AtomicBool,
}

impl LastRefusal {
    /// `failfast` with the reason, if an endpoint ever refused.
    pub fn explain(&self, failfast: QueueError) -> BoxError {
        match &*self.0.lock() {
            Some(reason) => format!("{failfast}; last: {reason}").into(),
            None => failfast.into(),
        }
    }
}

impl Health {
    pub(super) fn new(reports: Reports, settings: &Settings) -> Self {
        Self {
            reports,
            backoff: settings.connect_backoff,
            recovering: AtomicBool::new(false),
        }
    }

    /// Whether there is no other endpoint. Such a one is never shut: a request that
    /// meets its refusal has nothing to wait for, and the next is the next attempt.
    pub(super) fn is_alone(&self) -> bool {
        self.reports.alone
    }

    /// Shuts the gate and tries `attempt` with back-off until it succeeds
    /// (`Some(true)`) or the endpoint is gone (`None`).
    pub(super) fn recover<F>(
        &self,
        why: &(impl std::fmt::Display + ?Sized),
        attempt: impl Fn() -> F + Send + 'static,
    ) where
        F: Future<Output = Option<bool>> + Send,
    {
        *self.reports.refusal.0.lock() = Some(why.to_string().into());
        self.reports.gate.shut();
        if self.recovering.swap(true, Ordering::AcqRel) {
            return;
        }
        tracing::info!(error = %why, "Endpoint refuses connections");
        let backoff = self.backoff;
        tokio::spawn(async move {
            let mut delays = backoff.delays_from_entropy();
            loop {
                tokio::time::sleep(delays.next_delay()).await;
                if attempt().await != Some(false) {
                    return;
                }
            }
        });
    }

    pub(super) fn opened(&self) {
        self.recovering.store(false, Ordering::Release);
        self.reports.gate.open();
        tracing::info!("Endpoint takes connections again");
    }
}
