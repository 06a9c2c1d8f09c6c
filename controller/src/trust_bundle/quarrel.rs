//! Somebody else changes what we write: how long to leave it so.

use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Before it is put right for the first time.
pub(super) const PAUSE: Duration = Duration::from_secs(5);
/// The same when somebody insists.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Nobody has insisted for so long: the next change is put right soon again.
const PEACE: Duration = Duration::from_secs(1800);

/// Somebody who undoes what we do, and where.
#[derive(Debug, Default)]
pub(super) struct Quarrel(BTreeMap<String, Left>);

/// How a namespace is left as it is.
#[derive(Clone, Copy, Debug)]
struct Left {
    until: Instant,
    pause: Duration,
}

impl Quarrel {
    /// It happened, in this namespace.
    pub(super) fn undone(&mut self, namespace: String) {
        let now = Instant::now();
        let insists = |before: &&Left| now - before.until < PEACE;
        let before = self.0.get(&namespace).filter(insists);
        let pause = before.map_or(PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        if before.is_some() && pause == LONGEST_PAUSE {
            tracing::warn!(
                %namespace,
                "Somebody keeps changing the trust bundle: does another controller have other trust anchors?"
            );
        }
        let until = now + pause;
        self.0.insert(namespace, Left { until, pause });
    }

    /// When it may be put right there, if it must be waited for.
    pub(super) fn until(&self, namespace: &str) -> Option<Instant> {
        self.0.get(namespace).map(|left| left.until)
    }

    /// There is something new to say.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_forgotten_after_a_while() {
        let mut quarrel = Quarrel::default();
        let mut pause = || {
            quarrel.undone("a".to_owned());
            quarrel.until("a").unwrap() - Instant::now()
        };
        assert_eq!(pause(), PAUSE);
        assert_eq!(pause(), 2 * PAUSE);
        tokio::time::advance(2 * PAUSE + PEACE).await;
        assert_eq!(pause(), PAUSE);
        assert_eq!(quarrel.until("b"), None);
    }
}
