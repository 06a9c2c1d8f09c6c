//! What a watch says that there is.

use kube::runtime::watcher::Event;
use std::collections::BTreeMap;

/// Objects by name, or by namespace; of each, what matters to somebody. A list that is
/// being read anew takes the place of what is known only when it is complete.
#[derive(Debug)]
pub(crate) struct Mirror<V> {
    present: BTreeMap<String, V>,
    listed: Option<BTreeMap<String, V>>,
    complete: bool,
}

impl<V> Default for Mirror<V> {
    fn default() -> Self {
        Self {
            present: BTreeMap::new(),
            listed: None,
            complete: false,
        }
    }
}

/// What an event has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen<V> {
    /// Nothing yet: a list is being read.
    Nothing,
    /// All that there is, known at once.
    Listed,
    /// One object, with what was known of it before.
    Object(String, Option<V>),
}

impl<V> Mirror<V> {
    /// Takes in what happened.
    pub(crate) fn take<K>(
        &mut self,
        event: Event<K>,
        entry: impl FnOnce(K) -> (String, V),
    ) -> Seen<V> {
        match event {
            Event::Init => self.listed = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                self.listed.get_or_insert_default().extend([entry(object)]);
            }
            Event::InitDone => {
                self.present = self.listed.take().unwrap_or_default();
                self.complete = true;
                return Seen::Listed;
            }
            Event::Apply(object) => {
                let (name, value) = entry(object);
                let before = self.present.insert(name.clone(), value);
                return Seen::Object(name, before);
            }
            Event::Delete(object) => {
                let (name, _) = entry(object);
                let before = self.present.remove(&name);
                return Seen::Object(name, before);
            }
        }
        Seen::Nothing
    }

    /// Whether all that there is has been listed once; until then nothing is known to
    /// be missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.present.get(name)
    }

    /// What is known before a watch tells of it, because we did it.
    pub(crate) fn insert(&mut self, name: String, value: V) {
        self.present.insert(name, value);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &V)> {
        self.present.iter()
    }
}
