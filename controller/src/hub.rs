//! The model behind a lock, and the watches on it.
//!
//! Hundreds of proxies watch the same service. Each distinct question is worked
//! out once, after each batch of changes that concerns it, and its subscribers
//! share the answer by `Arc` through a `tokio::sync::watch`; an answer that did
//! not change wakes no one. One lock is enough: it is held for the batch and
//! the questions it concerns, never across an await, and streams read their
//! answer without it. A question is forgotten when its last subscriber is gone.

mod watches;

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
        query::{Query, Touched},
    },
};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::watch;
use watches::{Watch, Watches};

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
        let receiver = Q::watches(&mut Watching(state)).insert(query, entry);
        metrics::watched(state.watched());
        receiver
    }
}

impl State {
    /// How many questions are kept up to date.
    fn watched(&self) -> usize {
        self.endpoints.len()
            + self.profiles.len()
            + self.outbound.len()
            + self.inbound.len()
            + self.balancing.len()
    }
}

#[cfg(test)]
mod tests;
