//! Somebody else changes what we write: how long to leave it so.

use std::time::Duration;
use tokio::time::Instant;

/// Before it is put right for the first time.
pub(super) const PAUSE: Duration = Duration::from_secs(5);
/// The same when somebody insists.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Nobody has insisted for so long: the next change is put right soon again.
const PEACE: Duration = Duration::from_secs(1800);

/// Somebody who undoes what we do.
#[derive(Debug)]
pub(super) struct Quarrel {
    pause: Duration,
    last: Option<Instant>,
}

impl Default for Quarrel {
    fn default() -> Self {
        Self {
            pause: PAUSE,
            last: None,
        }
    }
}

impl Quarrel {
    /// It happened again; when to put it right.
    pub(super) fn undone(&mut self) -> Instant {
        let now = Instant::now();
        let insists = self.last.is_some_and(|last| now - last < PEACE);
        self.pause = match insists {
            true => (self.pause * 2).min(LONGEST_PAUSE),
            false => PAUSE,
        };
        if insists && self.pause == LONGEST_PAUSE {
            tracing::warn!(
                "Somebody else keeps changing the trust bundle: does another controller have other trust anchors?"
            );
        }
        self.last = Some(now);
        now + self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_forgotten_after_a_while() {
        let mut quarrel = Quarrel::default();
        assert_eq!(quarrel.undone(), Instant::now() + PAUSE);
        assert_eq!(quarrel.undone(), Instant::now() + 2 * PAUSE);
        tokio::time::advance(PEACE).await;
        assert_eq!(quarrel.undone(), Instant::now() + PAUSE);
    }
}
