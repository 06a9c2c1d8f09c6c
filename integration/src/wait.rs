//! Waiting for what must happen, never for time to pass.

pub(crate) mod blocking;

use std::{fmt::Display, time::Duration};
use tokio::time::{sleep, timeout};

/// Longer than anything here takes on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// The output of `future`.
///
/// # Panics
/// When it takes longer than [`DEADLINE`]; names `what` was waited for.
pub async fn soon<F: Future>(what: impl Display, future: F) -> F::Output {
    within(DEADLINE, what, future).await
}

/// The output of `future`.
///
/// # Panics
/// When it takes longer than `limit`; names `what` was waited for.
pub async fn within<F: Future>(limit: Duration, what: impl Display, future: F) -> F::Output {
    match timeout(limit, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {limit:?} in vain for: {what}"),
    }
}

/// Waits until `holds`.
///
/// # Panics
/// As [`soon`].
pub async fn until(what: impl Display, mut holds: impl FnMut() -> bool) {
    eventually(what, async || holds().then_some(())).await;
}

/// Tries again until there is an answer.
///
/// # Panics
/// As [`soon`].
pub async fn eventually<T>(what: impl Display, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(value) = attempt().await {
                return value;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}
