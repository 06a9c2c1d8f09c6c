//! The model behind a lock, and the watches on it.
//!
//! Hundreds of proxies watch the same service. Each distinct question is worked
//! out once, after each batch of changes that concerns it, and its subscribers
//! share the answer by `Arc` through a `tokio::sync::watch`; an answer that did
//! not change wakes no one. One lock is enough: it is held for the batch and
//! the questions it concerns, never across an await, and streams read their
//! answer without it. A question is forgotten when its last subscriber is gone.

use crate::{
    metrics,
    model::{
        Index, Settings,
        balancing::BalancingQuery,
        endpoints::EndpointsQuery,
        inbound::InboundQuery,
        object::Change,
        outbound::OutboundQuery,
        profile::ProfileQuery,
        query::{Dependency, Query, Touched},
    },
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// The current answer to a question; `None` while its object is not there.
pub(crate) type Answer<Q> = Option<Arc<<Q as Query>::View>>;

/// Objects and watches.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    index: Index,
    endpoints: Watches<EndpointsQuery>,
    profiles: Watches<ProfileQuery>,
    outbound: Watches<OutboundQuery>,
    inbound: Watches<InboundQuery>,
    balancing: Watches<BalancingQuery>,
}

/// A question with a place among the watches.
pub(crate) trait Watched: Query {
    #[doc(hidden)]
    fn watches<'a>(state: &'a mut Watching<'_>) -> &'a mut Watches<Self>;
}

/// Access to the watches for [`Watched`].
pub(crate) struct Watching<'a>(&'a mut State);

macro_rules! watched {
    ($($query:ident => $field:ident),*) => {$(
        impl Watched for $query {
            fn watches<'a>(state: &'a mut Watching<'_>) -> &'a mut Watches<Self> {
                &mut state.0.$field
            }
        }
    )*};
}

watched!(
    EndpointsQuery => endpoints,
    ProfileQuery => profiles,
    OutboundQuery => outbound,
    InboundQuery => inbound,
    BalancingQuery => balancing
);

impl Hub {
    pub(crate) fn new(settings: Settings) -> Self {
        let state = State {
            index: Index::new(settings),
            endpoints: Watches::new(),
            profiles: Watches::new(),
            outbound: Watches::new(),
            inbound: Watches::new(),
            balancing: Watches::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    /// Takes in a batch of changes and wakes the watches whose answer changed.
    pub(crate) fn apply(&self, changes: Vec<Change>) {
        let mut touched = Touched::default();
        let state = &mut *self.state.lock();
        for change in changes {
            state.index.apply(change, &mut touched);
        }
        if touched.is_empty() {
            return;
        }
        metrics::objects(state.index.counts());
        state.endpoints.refresh(&state.index, &touched);
        state.profiles.refresh(&state.index, &touched);
        state.outbound.refresh(&state.index, &touched);
        state.inbound.refresh(&state.index, &touched);
        state.balancing.refresh(&state.index, &touched);
        metrics::watched(state.watched());
    }

    /// The answer now.
    pub(crate) fn get<Q: Query>(&self, query: &Q) -> Answer<Q> {
        query.view(&self.state.lock().index).map(Arc::new)
    }

    /// The answer now and in future.
    pub(crate) fn watch<Q: Watched>(&self, query: Q) -> watch::Receiver<Answer<Q>> {
        let state = &mut *self.state.lock();
        // Looked at before inserting, so that the two borrows do not meet.
        if let Some(found) = Q::watches(&mut Watching(state)).find(&query) {
            return found;
        }
        let entry = Watch::new(&query, &state.index);
        let receiver = entry.sender.subscribe();
        Q::watches(&mut Watching(state)).insert(query, entry);
        metrics::watched(state.watched());
        receiver
    }
}

impl State {
    /// How many questions are kept up to date.
    fn watched(&self) -> usize {
        self.endpoints.by_query.len()
            + self.profiles.by_query.len()
            + self.outbound.by_query.len()
            + self.inbound.by_query.len()
            + self.balancing.by_query.len()
    }
}

/// All watches of one kind of question.
#[derive(Debug)]
pub(crate) struct Watches<Q: Query> {
    by_query: HashMap<Q, Watch<Q>>,
    /// Sweep when the map has grown to this size, so that the cost of finding
    /// abandoned questions is spread over the ones asked.
    sweep_at: usize,
}

#[derive(Debug)]
struct Watch<Q: Query> {
    sender: watch::Sender<Answer<Q>>,
    dependency: Dependency,
}

const SMALLEST_SWEEP: usize = 64;

impl<Q: Query> Watch<Q> {
    fn new(query: &Q, index: &Index) -> Self {
        Self {
            sender: watch::Sender::new(query.view(index).map(Arc::new)),
            dependency: query.dependency(index),
        }
    }

    fn refresh(&mut self, query: &Q, index: &Index) {
        self.dependency = query.dependency(index);
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
    fn new() -> Self {
        Self {
            by_query: HashMap::new(),
            sweep_at: SMALLEST_SWEEP,
        }
    }

    fn find(&self, query: &Q) -> Option<watch::Receiver<Answer<Q>>> {
        Some(self.by_query.get(query)?.sender.subscribe())
    }

    fn insert(&mut self, query: Q, watch: Watch<Q>) {
        if self.by_query.len() >= self.sweep_at {
            self.sweep();
        }
        self.by_query.insert(query, watch);
    }

    fn sweep(&mut self) {
        self.by_query
            .retain(|_, watch| watch.sender.receiver_count() > 0);
        self.sweep_at = (self.by_query.len() * 2).max(SMALLEST_SWEEP);
    }

    /// Works out again what the changes may have altered.
    fn refresh(&mut self, index: &Index, touched: &Touched) {
        self.sweep();
        for (query, watch) in &mut self.by_query {
            if touched.concerns(&watch.dependency) {
                watch.refresh(query, index);
            }
        }
    }
}

#[cfg(test)]
mod tests;
