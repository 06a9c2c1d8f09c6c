//! From the events of one kind to changes.

use super::{
    collect::Update,
    events::{Events, Failure},
    freshness::Freshness,
    share::Shared,
};
use crate::{
    events::{Note, Recorder, Severity},
    metrics,
    model::object::{Change, Kind, ObjectKey},
    source::convert::{Convert, Converted},
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt as _, runtime::watcher::Event};
use serde::de::DeserializeOwned;
use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
    hash::{BuildHasher as _, RandomState},
};
use tokio::sync::mpsc;

/// What is known of one kind.
pub(super) struct Follower {
    kind: Kind,
    freshness: Freshness,
    changes: mpsc::Sender<Update>,
    /// Where an object's author hears of what is wrong with it.
    events: Recorder,
    /// Objects that there were when last heard of.
    known: HashSet<ObjectKey>,
    /// Objects of the list that is being read.
    listed: Option<HashSet<ObjectKey>>,
    /// Objects with something that can't be used, and what was said about it (a
    /// hash): it is said once, not at each heartbeat.
    faulty: HashMap<ObjectKey, u64>,
    hasher: RandomState,
    shared: Shared,
}

/// Nobody wants the changes any more.
struct Unwanted;

impl Follower {
    pub(super) fn new(
        kind: Kind,
        freshness: Freshness,
        changes: mpsc::Sender<Update>,
        events: Recorder,
    ) -> Self {
        Self {
            kind,
            freshness,
            changes,
            events,
            known: HashSet::new(),
            listed: None,
            faulty: HashMap::new(),
            hasher: RandomState::new(),
            shared: Shared::default(),
        }
    }

    /// Follows until nobody wants the changes any more.
    pub(super) async fn run<K>(mut self, mut events: Events<K>)
    where
        K: Convert + Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + 'static,
    {
        loop {
            let taken = match events.next().await {
                Ok(event) => self.take(event).await,
                Err(Failure::Expired) => {
                    tracing::debug!(kind = ?self.kind, "Watch expired; listing again");
                    Ok(())
                }
                Err(Failure::Failed(why)) => {
                    metrics::source_error("kubernetes");
                    self.freshness.failed(self.kind, why);
                    Ok(())
                }
            };
            if let Err(Unwanted) = taken {
                return;
            }
        }
    }

    async fn take<K>(&mut self, event: Event<K>) -> Result<(), Unwanted>
    where
        K: Convert + Resource<DynamicType = ()>,
    {
        match event {
            Event::Init => self.listed = Some(HashSet::new()),
            Event::InitApply(object) => {
                let key = self.key(&object);
                self.listed.get_or_insert_default().insert(key.clone());
                self.apply(key, object).await?;
            }
            Event::InitDone => self.listed().await?,
            Event::Apply(object) => self.apply(self.key(&object), object).await?,
            Event::Delete(object) => self.delete(self.key(&object)).await?,
        }
        Ok(())
    }

    async fn apply<K>(&mut self, key: ObjectKey, object: K) -> Result<(), Unwanted>
    where
        K: Convert + Resource<DynamicType = ()>,
    {
        let about = object.object_ref(&());
        let change = match object.convert() {
            Ok(Converted { object, warnings }) => {
                self.report(&key, &warnings, about);
                let object = object.map(|object| self.shared.object(object));
                object.map_or_else(|| Change::Delete(key.clone()), Change::Apply)
            }
            Err(invalid) => {
                let text = format!("it can't be used, its last good state stays: {invalid}");
                self.report(&key, &[text], about);
                return Ok(());
            }
        };
        self.known.insert(key);
        self.send(Update::Change(change)).await
    }

    async fn delete(&mut self, key: ObjectKey) -> Result<(), Unwanted> {
        self.known.remove(&key);
        self.report(&key, &[], ObjectReference::default());
        self.send(Update::Change(Change::Delete(key))).await
    }

    /// A list is complete: what it lacks is gone.
    async fn listed(&mut self) -> Result<(), Unwanted> {
        let listed = self.listed.take().unwrap_or_default();
        let gone: Vec<_> = self.known.difference(&listed).cloned().collect();
        tracing::debug!(kind = ?self.kind, objects = listed.len(), gone = gone.len(), "Listed");
        for key in gone {
            self.delete(key).await?;
        }
        metrics::listed(self.kind);
        self.freshness.listed(self.kind);
        self.send(Update::Listed(self.kind)).await
    }

    async fn send(&self, update: Update) -> Result<(), Unwanted> {
        self.changes.send(update).await.map_err(|_| Unwanted)
    }

    fn key<K: Resource<DynamicType = ()>>(&self, object: &K) -> ObjectKey {
        ObjectKey {
            kind: self.kind,
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        }
    }

    /// Says what is wrong with an object, when that is new: in the log, and on the
    /// object.
    fn report(&mut self, key: &ObjectKey, faults: &[String], about: ObjectReference) {
        let before = match faults {
            [] => self.faulty.remove(key),
            faults => {
                let hash = self.hasher.hash_one(faults);
                let before = self.faulty.insert(key.clone(), hash);
                if before == Some(hash) {
                    return;
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
                before
            }
        };
        if before.is_some() || !faults.is_empty() {
            metrics::faulty_objects(self.kind, self.faulty.len());
        }
    }
}
