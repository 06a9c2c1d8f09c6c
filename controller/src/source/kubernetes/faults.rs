//! What is wrong with objects, said when it is new.

use crate::{
    events::{Note, Recorder, Severity},
    model::object::ObjectKey,
};
use k8s_openapi::api::core::v1::ObjectReference;
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

/// Objects with something that can't be used, and what was said about it (a hash): it
/// is said once, not at each heartbeat.
#[derive(Debug)]
pub(crate) struct Faults {
    said: HashMap<ObjectKey, u64>,
    hasher: RandomState,
    /// Where an object's author hears of it.
    events: Recorder,
}

impl Faults {
    pub(crate) fn new(events: Recorder) -> Self {
        Self {
            said: HashMap::new(),
            hasher: RandomState::new(),
            events,
        }
    }

    /// Says what is wrong with an object now, if anything: in the log, and on the
    /// object. Returns whether that is new.
    pub(crate) fn report(
        &mut self,
        key: &ObjectKey,
        faults: &[String],
        about: ObjectReference,
    ) -> bool {
        if faults.is_empty() {
            return self.said.remove(key).is_some();
        }
        let hash = self.hasher.hash_one(faults);
        if self.said.insert(key.clone(), hash) == Some(hash) {
            return false;
        }
        for fault in faults {
            tracing::warn!(object = %key, "{fault}");
            self.events.tell(Note {
                about: about.clone(),
                severity: Severity::Warning,
                reason: "InvalidConfiguration",
                text: fault.clone(),
            });
        }
        true
    }

    /// How many objects have faults.
    pub(crate) fn objects(&self) -> usize {
        self.said.len()
    }
}
