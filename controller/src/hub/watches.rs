//! All watches of one kind of question, found by what changed.
//!
//! A change concerns a handful of questions among tens of thousands, so each is also
//! kept under the objects and the address that its answer depends on: the cost of a
//! change is that of the answers that it may alter, however many others there are.

use super::Answer;
use crate::model::{
    Index,
    object::ObjectKey,
    query::{Dependency, Query, Touched},
};
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::Hash,
    net::IpAddr,
    sync::Arc,
};
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Watches<Q: Query> {
    by_query: HashMap<Arc<Q>, Watch<Q>>,
    by_object: HashMap<ObjectKey, Vec<Arc<Q>>>,
    by_address: HashMap<IpAddr, Vec<Arc<Q>>>,
    /// Sweep when the map has grown to this size, so that the cost of finding
    /// abandoned questions is spread over the ones asked.
    sweep_at: usize,
}

#[derive(Debug)]
pub(super) struct Watch<Q: Query> {
    sender: watch::Sender<Answer<Q>>,
    dependency: Dependency,
}

pub(super) const SMALLEST_SWEEP: usize = 64;

impl<Q: Query> Watch<Q> {
    pub(super) fn new(query: &Q, index: &Index) -> Self {
        Self {
            sender: watch::Sender::new(query.view(index).map(Arc::new)),
            dependency: query.dependency(index),
        }
    }

    fn is_abandoned(&self) -> bool {
        self.sender.receiver_count() == 0
    }

    fn refresh(&self, query: &Q, index: &Index) {
        let new = query.view(index);
        self.sender.send_if_modified(|answer| {
            let changed = answer.as_deref() != new.as_ref();
            if changed {
                *answer = new.map(Arc::new);
            }
            changed
        });
    }
}

impl<Q: Query> Watches<Q> {
    pub(super) fn new() -> Self {
        Self {
            by_query: HashMap::new(),
            by_object: HashMap::new(),
            by_address: HashMap::new(),
            sweep_at: SMALLEST_SWEEP,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_query.len()
    }

    pub(super) fn find(&self, query: &Q) -> Option<watch::Receiver<Answer<Q>>> {
        Some(self.by_query.get(query)?.sender.subscribe())
    }

    pub(super) fn insert(&mut self, query: Q, watch: Watch<Q>) -> watch::Receiver<Answer<Q>> {
        if self.by_query.len() >= self.sweep_at {
            self.sweep();
        }
        let (query, receiver) = (Arc::new(query), watch.sender.subscribe());
        self.link(&query, &watch.dependency);
        self.by_query.insert(query, watch);
        receiver
    }

    fn sweep(&mut self) {
        let all = self.by_query.iter();
        let abandoned = all.filter(|(_, watch)| watch.is_abandoned());
        let abandoned: Vec<_> = abandoned.map(|(query, _)| query.clone()).collect();
        for query in abandoned {
            self.remove(&query);
        }
        self.sweep_at = (self.by_query.len() * 2).max(SMALLEST_SWEEP);
    }

    /// Works out again what the changes may have altered.
    pub(super) fn refresh(&mut self, index: &Index, touched: &Touched) {
        for query in self.concerned(touched) {
            let Some(watch) = self.by_query.get_mut(&query) else {
                continue;
            };
            if watch.is_abandoned() {
                self.remove(&query);
                continue;
            }
            watch.refresh(&query, index);
            let dependency = query.dependency(index);
            if watch.dependency != dependency {
                let old = std::mem::replace(&mut watch.dependency, dependency.clone());
                self.unlink(&query, &old);
                self.link(&query, &dependency);
            }
        }
    }

    fn concerned(&self, touched: &Touched) -> HashSet<Arc<Q>> {
        if touched.is_broad() {
            let all = self.by_query.iter();
            let concerned = all.filter(|(_, watch)| touched.concerns(&watch.dependency));
            return concerned.map(|(query, _)| query.clone()).collect();
        }
        let objects = touched.objects.iter();
        let objects = objects.filter_map(|key| self.by_object.get(key));
        let addresses = touched.addresses.iter();
        let addresses = addresses.filter_map(|ip| self.by_address.get(ip));
        objects.chain(addresses).flatten().cloned().collect()
    }

    fn remove(&mut self, query: &Arc<Q>) {
        if let Some(watch) = self.by_query.remove(query) {
            self.unlink(query, &watch.dependency);
        }
    }

    fn link(&mut self, query: &Arc<Q>, dependency: &Dependency) {
        for key in &dependency.objects {
            let same = self.by_object.entry(key.clone());
            same.or_insert_with(|| Vec::with_capacity(1))
                .push(query.clone());
        }
        if let Some(ip) = dependency.address {
            let same = self.by_address.entry(ip);
            same.or_insert_with(|| Vec::with_capacity(1))
                .push(query.clone());
        }
    }

    fn unlink(&mut self, query: &Arc<Q>, dependency: &Dependency) {
        for key in &dependency.objects {
            take_out(self.by_object.entry(key.clone()), query);
        }
        if let Some(ip) = dependency.address {
            take_out(self.by_address.entry(ip), query);
        }
    }
}

fn take_out<K: Eq + Hash, Q>(entry: Entry<'_, K, Vec<Arc<Q>>>, query: &Arc<Q>) {
    if let Entry::Occupied(mut same) = entry {
        same.get_mut().retain(|other| !Arc::ptr_eq(other, query));
        if same.get().is_empty() {
            same.remove();
        }
    }
}
