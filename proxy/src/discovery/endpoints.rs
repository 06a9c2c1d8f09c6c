//! The endpoints of a service, followed through `Destination.Get`.
//!
//! One watch per authority keeps the whole set; each [`EndpointStream`] compares
//! the set with what it has told and yields the difference. Unlike a queue of
//! messages per user, that can't grow when a balancer is slow, loses nothing when
//! a set is shared by the HTTP/1, HTTP/2 and opaque balancers of a service, and a
//! burst of updates arrives as one. A new stream of the watch starts a new
//! *generation*, which is told as a [`EndpointUpdate::Reset`]: until its first
//! message the old set stays, so a controller that restarts empties no balancer.

use super::{
    Shared,
    cache::Publisher,
    convert::{Invalid, each, endpoint::endpoint, tcp_address},
    entropy,
};
use crate::{
    control::watch::{self, Event},
    policy::EndpointMeta,
};
use linkerd2_proxy_api::destination::{
    AddrSet, GetDestination, NoEndpoints, Update as Message, WeightedAddrSet,
    destination_client::DestinationClient, update::Update,
};
use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
};
use tokio::sync::watch::Receiver;

/// One address of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its share of the traffic; 1.0 is normal.
    pub weight: f32,
    /// Identity, hints and labels.
    pub meta: Arc<EndpointMeta>,
}

/// A change of a service's endpoints.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointUpdate {
    /// These are all; forget others.
    Reset(Vec<Endpoint>),
    /// These are new or changed.
    Add(Vec<Endpoint>),
    /// These are gone.
    Remove(Vec<SocketAddr>),
    /// There are none.
    Empty {
        /// Whether the service exists.
        exists: bool,
    },
}

/// What is known of a service's endpoints.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct EndpointSet {
    /// Counts the streams that have spoken; 0 before the first.
    generation: u64,
    /// Set when the control plane said that there are none.
    empty: Option<bool>,
    endpoints: Arc<BTreeMap<SocketAddr, Endpoint>>,
}

/// Builds the set from the watch's events.
#[derive(Debug, Default)]
pub(super) struct Follower {
    set: EndpointSet,
    /// The set is of an earlier stream; the first addition of this one replaces it.
    stale: bool,
}

impl Follower {
    /// The set after `event`; unchanged when that is invalid.
    pub(super) fn apply(&mut self, event: Event<Message>) -> Result<&EndpointSet, Invalid> {
        let message = match event {
            Event::First(message) => {
                self.stale = true;
                message
            }
            Event::Next(message) => message,
            Event::Absent(_) => {
                self.replace(BTreeMap::new(), Some(false));
                return Ok(&self.set);
            }
        };
        match message.update.ok_or_else(|| Invalid::missing("update"))? {
            Update::Add(set) => self.add(set)?,
            Update::Remove(set) => self.remove(set)?,
            Update::NoEndpoints(NoEndpoints { exists }) => {
                self.replace(BTreeMap::new(), Some(exists));
            }
        }
        Ok(&self.set)
    }

    fn add(&mut self, set: WeightedAddrSet) -> Result<(), Invalid> {
        let labels = set.metric_labels;
        let added = each("add.addrs", set.addrs, |addr| endpoint(addr, &labels))?;
        let added = added.into_iter().map(|endpoint| (endpoint.addr, endpoint));
        if self.stale || self.set.generation == 0 {
            self.replace(added.collect(), None);
        } else {
            Arc::make_mut(&mut self.set.endpoints).extend(added);
            self.set.empty = None;
        }
        Ok(())
    }

    fn remove(&mut self, set: AddrSet) -> Result<(), Invalid> {
        let gone = each("remove.addrs", set.addrs, |addr| tcp_address(Some(addr)))?;
        // What a stream takes away before it gave anything was of an earlier
        // stream, and that set stays until there is a new one.
        if !self.stale {
            let endpoints = Arc::make_mut(&mut self.set.endpoints);
            for addr in gone {
                endpoints.remove(&addr);
            }
        }
        Ok(())
    }

    fn replace(&mut self, endpoints: BTreeMap<SocketAddr, Endpoint>, empty: Option<bool>) {
        self.stale = false;
        self.set = EndpointSet {
            generation: self.set.generation + 1,
            empty,
            endpoints: Arc::new(endpoints),
        };
    }
}

impl EndpointSet {
    /// What to tell somebody who knows `old`.
    fn since(&self, old: &Self) -> VecDeque<EndpointUpdate> {
        if let Some(exists) = self.empty {
            let told = old.empty == self.empty;
            return if told {
                None
            } else {
                Some(EndpointUpdate::Empty { exists })
            }
            .into_iter()
            .collect();
        }
        if self.generation != old.generation {
            return [EndpointUpdate::Reset(
                self.endpoints.values().cloned().collect(),
            )]
            .into();
        }
        let changed = |endpoint: &&Endpoint| old.endpoints.get(&endpoint.addr) != Some(*endpoint);
        let added: Vec<_> = self.endpoints.values().filter(changed).cloned().collect();
        let gone = |addr: &&SocketAddr| !self.endpoints.contains_key(*addr);
        let removed: Vec<_> = old.endpoints.keys().filter(gone).copied().collect();
        // Additions first: a balancer whose endpoints are all replaced is never empty.
        let add = (!added.is_empty()).then_some(EndpointUpdate::Add(added));
        let remove = (!removed.is_empty()).then_some(EndpointUpdate::Remove(removed));
        add.into_iter().chain(remove).collect()
    }
}

/// The changes of a service's endpoints, starting with all of them.
#[derive(Clone, Debug)]
pub struct EndpointStream {
    set: Receiver<EndpointSet>,
    told: EndpointSet,
    pending: VecDeque<EndpointUpdate>,
}

impl EndpointStream {
    pub(super) fn new(set: Receiver<EndpointSet>) -> Self {
        Self {
            set,
            told: EndpointSet::default(),
            pending: VecDeque::new(),
        }
    }

    /// The next change; waits for the control plane's first answer. `None` when
    /// the watch has ended with the runtime. Can be cancelled without loss.
    pub async fn next(&mut self) -> Option<EndpointUpdate> {
        loop {
            if let Some(update) = self.pending.pop_front() {
                return Some(update);
            }
            let set = self
                .set
                .wait_for(|set| *set != self.told)
                .await
                .ok()?
                .clone();
            self.pending = set.since(&self.told);
            self.told = set;
        }
    }
}

/// Watches `authority` and publishes its set of endpoints.
pub(super) async fn run(
    shared: Arc<Shared>,
    authority: Arc<str>,
    tx: Publisher<EndpointSet>,
) -> Infallible {
    let request = GetDestination {
        scheme: "k8s".into(),
        path: authority.to_string(),
        context_token: shared.config.context.to_string(),
    };
    let config = shared.config.watch;
    let open = move || {
        let mut client = DestinationClient::new(shared.channels.destination.clone());
        let request = request.clone();
        async move { client.get(request).await }
    };
    let mut follower = Follower::default();
    let apply = move |event| {
        let set = follower.apply(event)?;
        tx.send_if_modified(|current| {
            let changed = current != set;
            current.clone_from(set);
            changed
        });
        Ok::<_, Invalid>(())
    };
    let what = format!("endpoints of {authority}");
    watch::run(what, config, entropy(), open, apply).await
}
