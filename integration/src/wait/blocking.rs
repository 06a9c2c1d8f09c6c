//! Waiting for what must happen, in threads; [`super`] does it in a runtime.

use std::fmt::Display;
use std::thread::park_timeout;
use std::time::Duration;

use tokio::time::Instant;

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(40);
/// Between looks; shorter at first, because how long a start takes is measured by this.
const PAUSE: Duration = Duration::from_millis(10);
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// Waits until `holds`.
///
/// # Panics
/// When that takes too long; names `what` was waited for.
pub fn until(what: impl Display, mut holds: impl FnMut() -> bool) {
    until_some(what, || holds().then_some(()));
}

/// Tries again until there is an answer.
///
/// # Panics
/// As [`until`].
pub fn until_some<T>(what: impl Display, mut attempt: impl FnMut() -> Option<T>) -> T {
    match until_some_within(DEADLINE, &mut attempt) {
        Some(value) => value,
        None => panic!("waited {DEADLINE:?} in vain for: {what}"),
    }
}

pub(crate) fn until_some_within<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if Instant::now() > deadline {
            return None;
        }
        park_timeout(pause);
        pause = PAUSE.min(pause.mul_f64(1.2));
    }
}
