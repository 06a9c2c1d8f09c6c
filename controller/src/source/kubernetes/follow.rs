//! From the events of one kind to changes.

use super::{
    collect::Update,
    events::{Events, Failure},
    faults::Faults,
    freshness::Freshness,
    last_good::LastGood,
    share::Shared,
};
use crate::{
    events::Recorder,
    metrics,
    model::object::{Change, Kind, ObjectKey},
    source::convert::{Convert, Converted},
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt as _, runtime::watcher::Event};
use serde::de::DeserializeOwned;
use std::{collections::HashSet, fmt::Debug};
use tokio::sync::mpsc;

/// What is known of one kind.
pub(super) struct Follower {
    kind: Kind,
    freshness: Freshness,
    changes: mpsc::Sender<Update>,
    /// Objects that there were when last heard of.
    known: HashSet<ObjectKey>,
    /// Objects of the list that is being read.
    listed: Option<HashSet<ObjectKey>>,
    /// Values that annotations had before they made no sense.
    last_good: LastGood,
    faults: Faults,
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
            known: HashSet::new(),
            listed: None,
            last_good: LastGood::default(),
            faults: Faults::new(events),
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
        K: Convert + Resource<DynamicType = ()> + Clone,
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
        K: Convert + Resource<DynamicType = ()> + Clone,
    {
        let about = object.object_ref(&());
        let change = match self.last_good.convert(&key, object) {
            Ok(Converted { object, warnings }) => {
                let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
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
        self.last_good.forget(&key);
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

    fn report(&mut self, key: &ObjectKey, faults: &[String], about: ObjectReference) {
        if self.faults.report(key, faults, about) {
            metrics::faulty_objects(self.kind, self.faults.objects());
        }
    }
}
