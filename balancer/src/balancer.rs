//! The balancer: an endpoint set, a policy, and the readiness of the endpoints.

use crate::{
    Config, Observer, Pick, Policy, Target, Update, UpdateKind,
    endpoint::{Endpoint, Set},
    gate::{Gate, Readiness},
    load::{Fleet, Load},
    pick::Picker,
};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rand::Rng;
use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Why there is nothing to pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Discovery knows no endpoint.
    #[error("the service has no endpoints")]
    Empty,
    /// All endpoints have shut their gates.
    #[error("no endpoint of the service is ready to take requests")]
    NoneReady,
}

/// The state of one endpoint, for admin pages and metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointStatus<K> {
    /// The endpoint's key.
    pub key: K,
    /// Its weight, 1.0 for a normal one.
    pub weight: f32,
    /// The expected latency of a request, with the penalty for failures but without the queue.
    pub load: Duration,
    /// Requests in flight.
    pub pending: u32,
    /// Whether its gate is open.
    pub ready: bool,
}

/// Balances requests over the endpoints of one service. Clones are the same balancer.
///
/// `K` identifies an endpoint, `T` is its service. See the crate's documentation.
pub struct Balancer<K, T> {
    inner: Arc<Inner<K, T>>,
}

struct Inner<K, T> {
    set: ArcSwap<Set<K, T>>,
    picker: ArcSwap<Picker>,
    fleet: Arc<Fleet>,
    readiness: Arc<Readiness>,
    /// Discovery has said something.
    told: AtomicBool,
    /// Held while an update makes the next set from the current one.
    updating: Mutex<()>,
}

impl<K, T> Balancer<K, T> {
    /// A balancer without endpoints that nobody observes.
    pub fn new(config: Config) -> Self {
        Self::with_observer(config, Arc::new(()))
    }

    /// A balancer without endpoints.
    pub fn with_observer(config: Config, observer: Arc<dyn Observer>) -> Self {
        observer.policy(&config.policy);
        let inner = Inner {
            set: ArcSwap::from_pointee(Set::new(Vec::new(), true)),
            picker: ArcSwap::from_pointee(Picker::new(&config.policy)),
            fleet: Arc::new(Fleet::new(config.policy.params())),
            readiness: Arc::new(Readiness::new(observer)),
            told: AtomicBool::new(false),
            updating: Mutex::new(()),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Picks a ready endpoint for a request that starts at `now`.
    ///
    /// # Errors
    /// There is no endpoint, or none is ready.
    pub fn pick(&self, now: Instant, rng: &mut impl Rng) -> Result<Pick<K, T>, Unavailable> {
        let set = self.inner.set.load();
        if set.endpoints.is_empty() {
            return Err(Unavailable::Empty);
        }
        let picked = match self.ready_len() {
            0 => None,
            _ => self.inner.picker.load().pick(&set, now, rng),
        };
        let endpoint = picked.ok_or(Unavailable::NoneReady)?;
        Ok(Pick::new(endpoint.clone(), now))
    }

    /// Chooses by `policy` from now on. Endpoints, their load and requests in flight stay as they are.
    pub fn set_policy(&self, policy: &Policy) {
        self.inner.fleet.set_params(policy.params());
        self.inner.picker.store(Arc::new(Picker::new(policy)));
        self.observer().policy(policy);
    }

    /// Resolves when a pick may succeed: at least one endpoint is ready.
    pub async fn available(&self) {
        self.inner.readiness.any().await;
    }

    /// The number of endpoints.
    pub fn len(&self) -> usize {
        self.inner.set.load().endpoints.len()
    }

    /// Whether there are no endpoints.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether discovery has said anything yet, be it that there are no endpoints.
    pub fn is_told(&self) -> bool {
        self.inner.told.load(Ordering::Acquire)
    }

    /// The number of endpoints that can take requests.
    pub fn ready_len(&self) -> usize {
        self.inner.readiness.count()
    }

    /// Whether the service exists: false only after an [`Update::Empty`] that said so.
    pub fn exists(&self) -> bool {
        self.inner.set.load().exists
    }

    #[cfg(test)]
    pub(crate) fn set(&self) -> Arc<Set<K, T>> {
        self.inner.set.load_full()
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.inner.readiness.observer
    }
}

impl<K: Clone, T> Balancer<K, T> {
    /// The state of all endpoints at `now`.
    pub fn snapshot(&self, now: Instant) -> Vec<EndpointStatus<K>> {
        let status = |endpoint: &Arc<Endpoint<K, T>>| EndpointStatus {
            key: endpoint.key.clone(),
            weight: endpoint.weight(),
            load: Duration::try_from_secs_f64(endpoint.load.latency(now)).unwrap_or(Duration::MAX),
            pending: endpoint.load.in_flight(),
            ready: endpoint.gate.is_open(),
        };
        self.inner.set.load().endpoints.iter().map(status).collect()
    }
}

impl<K: Clone + Eq + Hash, T> Balancer<K, T> {
    /// Applies what discovery said. `make` is called for endpoints that are new or have new metadata, and gets the
    /// endpoint's gate; it must not update this balancer.
    ///
    /// Requests in flight on endpoints that go are not touched.
    pub fn update<M>(&self, update: Update<K, M>, make: impl FnMut(&K, &M, Gate) -> T)
    where
        M: PartialEq + Send + Sync + 'static,
    {
        self.update_at(Instant::now(), update, make);
    }

    /// The same with the time as an argument, for simulators.
    pub fn update_at<M>(
        &self,
        now: Instant,
        update: Update<K, M>,
        mut make: impl FnMut(&K, &M, Gate) -> T,
    ) where
        M: PartialEq + Send + Sync + 'static,
    {
        let inner = &*self.inner;
        let kind = kind_of(&update);
        let _updating = inner.updating.lock();
        let before = inner.set.load_full();
        let next = Arc::new(before.next(update, |target: Target<K, M>| {
            let load = Load::new(inner.fleet.clone(), now);
            Endpoint::new(target, load, Gate::new(inner.readiness.clone()), &mut make)
        }));
        inner.set.store(next.clone());
        inner.told.store(true, Ordering::Release);
        inner.readiness.observer.updated(kind, next.endpoints.len());
        // Newcomers first, so that replacing all endpoints never looks as if none was ready.
        next.endpoints
            .iter()
            .for_each(|endpoint| endpoint.gate.list());
        before
            .gone(&next)
            .for_each(|endpoint| endpoint.gate.unlist());
    }
}

impl<K, T> Clone for Balancer<K, T> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}

impl<K, T> std::fmt::Debug for Balancer<K, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Balancer")
            .field("len", &self.len())
            .field("ready", &self.ready_len())
            .finish()
    }
}

fn kind_of<K, M>(update: &Update<K, M>) -> UpdateKind {
    match update {
        Update::Reset(_) => UpdateKind::Reset,
        Update::Add(_) => UpdateKind::Add,
        Update::Remove(_) => UpdateKind::Remove,
        Update::Empty { .. } => UpdateKind::Empty,
    }
}
