//! Keeps a workload's certificate fresh for as long as the process lives.
//!
//! Each round makes a new key pair in memory, so that a leaked key is good for
//! one certificate only, reads the token again (Kubernetes rotates it), asks
//! the identity service, and puts what came back in use if it fits. The next
//! round starts at 70 % of the remaining life, as Linkerd's does, which leaves
//! 30 % of it for the identity service to be down without anybody noticing.
//!
//! A change of the trust bundle that leaves the certificate without a root starts a
//! round at once: peers refuse it from then on.
//!
//! Between rounds the loop looks at the wall clock every minute: tokio's clock
//! stands still while a laptop sleeps, the certificate's end does not.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::{self, Instant};

use crate::credentials::Credentials;

mod backoff;
mod client;
mod request;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use client::Certifier;
pub use request::CertifyError;

/// When to ask, and how to be patient.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Least time between two certificates (Linkerd: `IDENTITY_MIN_REFRESH`, 10 s).
    pub min_refresh: Duration,
    /// Most time between two certificates (`IDENTITY_MAX_REFRESH`, 24 h).
    pub max_refresh: Duration,
    /// How long one request may take.
    pub timeout: Duration,
    /// Pauses after failures.
    pub backoff: Backoff,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_refresh: Duration::from_secs(10),
            max_refresh: Duration::from_secs(24 * 60 * 60),
            timeout: Duration::from_secs(10),
            backoff: Backoff::default(),
        }
    }
}

/// Told how each round ended; for metrics.
pub trait Observer: Send + 'static {
    /// A certificate came into use at `now` and ends at `expiry`.
    fn refreshed(&self, now: SystemTime, expiry: SystemTime);
    /// A round failed; the certificate in use, if any, stays so.
    fn failed(&self, error: &CertifyError);
}

/// Nobody looks.
impl Observer for () {
    fn refreshed(&self, _now: SystemTime, _expiry: SystemTime) {}
    fn failed(&self, _error: &CertifyError) {}
}

/// Runs until dropped. `token_file` is read anew for each request.
pub async fn run(
    credentials: Credentials,
    token_file: PathBuf,
    certifier: impl Certifier,
    settings: Settings,
    observer: impl Observer,
) -> Infallible {
    keep_fresh(credentials, Some(token_file), certifier, settings, observer).await
}

/// [`run`], where no token is needed because the certifier is in this process.
pub(crate) async fn keep_fresh(
    credentials: Credentials,
    token_file: Option<PathBuf>,
    mut certifier: impl Certifier,
    settings: Settings,
    observer: impl Observer,
) -> Infallible {
    let mut failures = 0;
    loop {
        let round = request::round(
            &credentials,
            token_file.as_deref(),
            &mut certifier,
            settings.timeout,
        );
        match round.await {
            Ok(expiry) => {
                failures = 0;
                let now = SystemTime::now();
                let delay = refresh_delay(now, expiry, &settings);
                observer.refreshed(now, expiry);
                tracing::info!(name = %credentials.name(), refresh_in = ?delay, "Certificate in use");
                pause(delay, &credentials).await;
            }
            Err(error) => {
                let delay = settings.backoff.delay(failures, &mut rand::rng());
                failures = failures.saturating_add(1);
                observer.failed(&error);
                tracing::warn!(name = %credentials.name(), %error, retry_in = ?delay, "No new certificate");
                time::sleep(delay).await;
            }
        }
    }
}

/// 70 % of what is left, within the bounds.
fn refresh_delay(now: SystemTime, expiry: SystemTime, settings: &Settings) -> Duration {
    let left = expiry.duration_since(now).unwrap_or_default();
    // `max` then `min`, as `clamp` panics when an operator swaps the two.
    left.mul_f64(0.7)
        .max(settings.min_refresh)
        .min(settings.max_refresh)
}

/// Sleeps by whichever clock gets there first, or until the certificate has lost its root.
async fn pause(delay: Duration, credentials: &Credentials) {
    const LOOK: Duration = Duration::from_secs(60);
    let mut anchors = credentials.trust().changed();
    let deadline = Instant::now() + delay;
    let wall_deadline = SystemTime::now() + delay;
    while Instant::now() < deadline && SystemTime::now() < wall_deadline {
        tokio::select! {
            () = time::sleep_until(deadline.min(Instant::now() + LOOK)) => {}
            Ok(()) = anchors.changed() => {
                if !credentials.is_trusted(SystemTime::now()) {
                    tracing::info!(name = %credentials.name(), "Certificate has lost its root");
                    return;
                }
            }
        }
    }
}
