//! Values shared by key, dropped some time after their last user.
//!
//! A balancer has to outlive a pause between two connections, or each pause
//! would forget its load estimates and close its connections; but a client
//! chooses what it connects to, so nothing may stay for ever. A value is idle
//! while the cache alone holds it. Clocks are tokio's, so tests can pause them.

use parking_lot::Mutex;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::Instant;

/// A cache whose clones share their entries.
#[derive(Debug)]
pub struct Cache<K, V> {
    shared: Arc<Shared<K, V>>,
}

#[derive(Debug)]
struct Shared<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
    idle: Duration,
}

#[derive(Debug)]
struct Entry<V> {
    value: Arc<V>,
    used: Instant,
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        let shared = self.shared.clone();
        Self { shared }
    }
}

impl<K, V> Cache<K, V>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Send + Sync + 'static,
{
    /// Keeps a value for `idle` after its last user. Sweeps in a task, which
    /// ends with the cache.
    pub fn new(idle: Duration) -> Self {
        let shared = Arc::new(Shared {
            entries: Mutex::default(),
            idle,
        });
        tokio::spawn(sweep(Arc::downgrade(&shared), idle));
        Self { shared }
    }

    /// The value of `key`, if there is one.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        let mut entries = self.shared.entries.lock();
        let entry = entries.get_mut(key)?;
        entry.used = Instant::now();
        Some(entry.value.clone())
    }

    /// The value of `key`, made now if there is none. `make` may not use the
    /// cache itself.
    pub fn get_or_insert(&self, key: &K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut entries = self.shared.entries.lock();
        let used = Instant::now();
        if let Some(entry) = entries.get_mut(key) {
            entry.used = used;
            return entry.value.clone();
        }
        let value = Arc::new(make());
        let entry = Entry {
            value: value.clone(),
            used,
        };
        entries.insert(key.clone(), entry);
        value
    }

    /// How many values are held.
    pub fn len(&self) -> usize {
        self.shared.entries.lock().len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

async fn sweep<K, V>(shared: Weak<Shared<K, V>>, idle: Duration)
where
    K: Eq + Hash,
{
    let pause = (idle / 2).max(Duration::from_millis(100));
    loop {
        tokio::time::sleep(pause).await;
        match shared.upgrade() {
            Some(shared) => shared.sweep(Instant::now()),
            None => return,
        }
    }
}

impl<K: Eq + Hash, V> Shared<K, V> {
    fn sweep(&self, now: Instant) {
        let mut dropped = Vec::new();
        let mut entries = self.entries.lock();
        entries.retain(|_, entry| {
            if Arc::strong_count(&entry.value) > 1 {
                entry.used = now;
            }
            let keep = now.duration_since(entry.used) < self.idle;
            if !keep {
                dropped.push(entry.value.clone());
            }
            keep
        });
        drop(entries);
        // Values are dropped without the lock: their drop may be long.
        drop(dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_value_is_kept_while_used_and_a_while_after() {
        let cache = Cache::<&str, u8>::new(Duration::from_secs(5));
        let held = cache.get_or_insert(&"a", || 1);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(cache.len(), 1);
        assert!(Arc::ptr_eq(&held, &cache.get_or_insert(&"a", || 2)));

        drop(held);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(cache.get(&"a").as_deref(), Some(&1));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(cache.is_empty());
    }
}
