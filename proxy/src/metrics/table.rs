//! Handles by a small key, found without a lock or an allocation.

use arc_swap::ArcSwap;
use std::sync::Arc;

/// Keys past this are not kept: a server that answers with every status there is
/// must not make each lookup slow. Their handles still come from the registry.
const MAX: usize = 64;

/// A few keys (statuses, errors), each with handles made on its first use.
///
/// A request finds its key by a search through a list that almost always has one
/// or two entries; a new key copies the list.
#[derive(Debug)]
pub(super) struct Table<K, V>(ArcSwap<Vec<(K, V)>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(Vec::new()))
    }
}

impl<K: Copy + PartialEq, V: Clone> Table<K, V> {
    /// Runs `apply` on the handles of `key`, which `make` makes the first time.
    pub(super) fn with(&self, key: K, make: impl FnOnce() -> V, apply: impl FnOnce(&V)) {
        let known = self.0.load();
        if let Some((_, value)) = known.iter().find(|(have, _)| *have == key) {
            return apply(value);
        }
        let value = make();
        apply(&value);
        if known.len() < MAX {
            self.0.rcu(|now| insert(now, key, &value));
        }
    }
}

/// Another thread may have been first; both have handles of the same set.
fn insert<K: Copy + PartialEq, V: Clone>(
    now: &Arc<Vec<(K, V)>>,
    key: K,
    value: &V,
) -> Arc<Vec<(K, V)>> {
    if now.iter().any(|(have, _)| *have == key) {
        return now.clone();
    }
    let added = now.iter().cloned().chain([(key, value.clone())]);
    Arc::new(added.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_key_is_made_once_and_strangers_never_fill_it() {
        let table = Table::default();
        let made = Cell::new(0);
        let mut seen = Vec::new();
        let mut with = |key: usize| {
            let make = || {
                made.set(made.get() + 1);
                key * 10
            };
            table.with(key, make, |value| seen.push(*value));
        };
        with(1);
        with(2);
        with(1);
        assert_eq!(made.get(), 2);
        (0..1000).for_each(&mut with);
        with(1);
        assert_eq!(seen.last(), Some(&10));
        assert_eq!(table.0.load().len(), MAX);
    }
}
