//! What watchers wait for, and when each got it.
//!
//! A change is announced before it is made: which endpoint of which service, and how many watch. Each watcher that is told of it
//! strikes it off; the time counts from the moment when the API server has the change.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// A change that has not reached all of its watchers by then is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a watcher was told of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct News {
    /// The service that is watched.
    pub service: usize,
    /// The endpoint's address.
    pub address: SocketAddr,
    /// It is there now, or no longer.
    pub present: bool,
}

#[derive(Clone, Debug)]
struct Pending {
    since: Instant,
    missing: usize,
    reached: Vec<Duration>,
}

/// Shared by all who watch and whoever makes changes.
#[derive(Debug)]
pub struct Board {
    pending: Mutex<HashMap<News, Pending>>,
    finished: Mutex<Vec<Reached>>,
    /// Changes that have not reached all.
    waiting: watch::Sender<usize>,
    /// Streams with a first message.
    opened: watch::Sender<usize>,
    /// Streams that ended, and why the first did.
    broken: Mutex<(usize, Option<String>)>,
}

/// How long one change took.
#[derive(Clone, Debug)]
pub struct Reached {
    /// To each watcher, in the order in which they heard of it; the last is the one that counts.
    pub each: Vec<Duration>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            pending: Mutex::default(),
            finished: Mutex::default(),
            waiting: watch::Sender::new(0),
            opened: watch::Sender::new(0),
            broken: Mutex::default(),
        }
    }
}

impl Board {
    /// A change is about to be made that so many watch.
    pub fn announce(&self, news: News, watchers: usize) {
        let pending = Pending {
            since: Instant::now(),
            missing: watchers,
            reached: Vec::with_capacity(watchers),
        };
        let earlier = self.pending.lock().insert(news, pending);
        assert!(earlier.is_none(), "changes of one endpoint overlap");
        self.waiting.send_modify(|waiting| *waiting += 1);
    }

    /// A watcher was told something; what is not waited for is no news.
    pub fn told(&self, news: News) {
        let mut all = self.pending.lock();
        let Some(pending) = all.get_mut(&news) else {
            return;
        };
        pending.reached.push(pending.since.elapsed());
        pending.missing -= 1;
        if pending.missing == 0 {
            let each = all.remove(&news).expect("it was there").reached;
            drop(all);
            self.finished.lock().push(Reached { each });
            self.waiting.send_modify(|waiting| *waiting -= 1);
        }
    }

    /// Waits until all changes have reached all; takes what they took. The number is that of watchers never reached.
    pub async fn settled(&self) -> (Vec<Reached>, usize) {
        let mut waiting = self.waiting.subscribe();
        let all = waiting.wait_for(|waiting| *waiting == 0);
        // What did not come is counted below.
        timeout(PATIENCE, all).await.ok();
        let lost: usize = self
            .pending
            .lock()
            .drain()
            .map(|(_, pending)| pending.missing)
            .sum();
        self.waiting.send_replace(0);
        (std::mem::take(&mut *self.finished.lock()), lost)
    }

    /// A stream has had its first message.
    pub fn opened(&self) {
        self.opened.send_modify(|opened| *opened += 1);
    }

    /// Waits for so many streams; false when too many have broken, or it takes too long.
    pub async fn all_opened(&self, streams: usize) -> bool {
        let mut opened = self.opened.subscribe();
        let all = opened.wait_for(|opened| *opened >= streams);
        timeout(PATIENCE * 2, all).await.is_ok()
    }

    /// A stream has ended.
    pub fn broke(&self, why: String) {
        let mut broken = self.broken.lock();
        broken.0 += 1;
        broken.1.get_or_insert(why);
    }

    /// Streams that have ended, and why the first did.
    #[must_use]
    pub fn broken(&self) -> (usize, Option<String>) {
        self.broken.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_over_when_all_watchers_have_it() {
        let board = Board::default();
        let news = News {
            service: 1,
            address: ([10, 0, 0, 1], 80).into(),
            present: false,
        };
        board.announce(news, 2);
        board.told(news);
        board.told(News { service: 2, ..news });
        board.told(News {
            present: true,
            ..news
        });
        assert!(board.finished.lock().is_empty());
        board.told(news);
        let (reached, lost) = board.settled().await;
        assert_eq!((reached.len(), reached[0].each.len(), lost), (1, 2, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn watchers_that_hear_nothing_are_counted() {
        let board = Board::default();
        let news = News {
            service: 1,
            address: ([10, 0, 0, 1], 80).into(),
            present: false,
        };
        board.announce(news, 3);
        board.told(news);
        assert_eq!(board.settled().await.1, 2);
        assert_eq!(board.settled().await.1, 0);
    }
}
