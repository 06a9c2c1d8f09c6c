//! Watches shared by all who ask for the same thing, ended when nobody does.
//!
//! A watch costs the control plane a stream, so equal lookups share one, and it
//! outlives its last user by the idle time: a client that makes a connection a
//! second must not make a stream a second. One task runs each watch; it holds the
//! sending side, and the map only hands out receivers, so that who still uses a
//! value is counted by the channel itself.

use parking_lot::Mutex;
use std::time::Duration;
use std::{collections::HashMap, convert::Infallible, future::Future, hash::Hash, sync::Arc};
use tokio::{runtime::Handle, sync::watch, time::sleep};

/// The sending side of a cached watch.
pub(super) type Publisher<T> = Arc<watch::Sender<T>>;

/// Running watches by what they watch.
#[derive(Debug)]
pub(super) struct Cache<K, T> {
    entries: Mutex<HashMap<K, Entry<T>>>,
    idle: Duration,
    capacity: usize,
    what: &'static str,
    /// Where watches run, whichever thread asks first.
    runtime: Handle,
}

#[derive(Debug)]
struct Entry<T> {
    tx: Publisher<T>,
    /// Counts lookups, so that one which came and went restarts the idle time.
    lookups: u64,
}

/// There are as many watches of a kind as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} {1} are watched already; no more are taken until some are idle")]
pub struct Full(usize, &'static str);

impl<K, T> Cache<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    /// Watches end `idle` after their last user; there are at most `capacity`,
    /// of `what` (a plural, for the error).
    /// They run on the runtime that this is called in.
    pub(super) fn new(what: &'static str, idle: Duration, capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            idle,
            capacity,
            what,
            runtime: Handle::current(),
        })
    }

    /// The value of `key`: of the running watch, or of one started by `start` with
    /// `initial` as its first value.
    pub(super) fn get<F>(
        self: &Arc<Self>,
        key: &K,
        initial: impl FnOnce() -> T,
        start: impl FnOnce(Publisher<T>) -> F,
    ) -> Result<watch::Receiver<T>, Full>
    where
        F: Future<Output = Infallible> + Send + 'static,
    {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get_mut(key) {
            entry.lookups += 1;
            return Ok(entry.tx.subscribe());
        }
        if entries.len() >= self.capacity {
            return Err(Full(self.capacity, self.what));
        }
        let (tx, rx) = watch::channel(initial());
        let tx = Arc::new(tx);
        let entry = Entry {
            tx: tx.clone(),
            lookups: 1,
        };
        entries.insert(key.clone(), entry);
        let (cache, key, watch) = (self.clone(), key.clone(), start(tx.clone()));
        self.runtime.spawn(async move {
            tokio::select! {
                never = watch => match never {},
                () = cache.idle(&key, &tx) => {}
            }
        });
        Ok(rx)
    }

    /// Resolves when nobody has used the watch for the idle time; it is forgotten then.
    async fn idle(&self, key: &K, tx: &watch::Sender<T>) {
        loop {
            tx.closed().await;
            let seen = self.entries.lock().get(key).map(|entry| entry.lookups);
            sleep(self.idle).await;
            if self.forget(key, tx, seen) {
                return;
            }
        }
    }

    fn forget(&self, key: &K, tx: &watch::Sender<T>, seen: Option<u64>) -> bool {
        let mut entries = self.entries.lock();
        let now = entries.get(key).map(|entry| entry.lookups);
        let idle = tx.is_closed() && now == seen;
        if idle {
            entries.remove(key);
        }
        idle
    }

    /// How many watches are running.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.lock().len()
    }
}
