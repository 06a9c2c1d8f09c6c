//! The endpoints of a service, and how an update from discovery changes them.
//!
//! A set is immutable: picks read a snapshot without a lock, an update builds the next one. What survives an update is
//! the endpoint itself (same key, same metadata), with its service, gate and load; its weight is an atomic in it, so
//! that a change of weight alone keeps everything else. The metadata is stored as `Any`: only an update compares it,
//! and its type would otherwise spread to every signature on the request path.

use crate::{Gate, load::Load};
use rand::Rng;
use std::{
    any::Any,
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

/// One change of a service's endpoints, as discovery tells it.
#[derive(Clone, Debug, PartialEq)]
pub enum Update<K, M> {
    /// These are all endpoints there are.
    Reset(Vec<Target<K, M>>),
    /// These are new, or have a new weight or new metadata.
    Add(Vec<Target<K, M>>),
    /// These are gone. Unknown keys are ignored.
    Remove(Vec<K>),
    /// There are no endpoints.
    Empty {
        /// Whether the service itself exists.
        exists: bool,
    },
}

/// An endpoint as discovery tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target<K, M> {
    /// What identifies the endpoint, usually its address.
    pub key: K,
    /// Its share of the requests relative to the others, 1.0 for a normal one. What is not positive counts as the
    /// smallest weight there is on the wire, 1/10000.
    pub weight: f32,
    /// What its service is made from: a change makes a new service.
    pub meta: M,
}

impl<K, M> Target<K, M> {
    /// A target of the normal weight.
    pub fn new(key: K, meta: M) -> Self {
        Self {
            key,
            weight: 1.0,
            meta,
        }
    }
}

/// The range of weights; the lower end is the unit of Linkerd's wire format.
const WEIGHTS: (f32, f32) = (1e-4, 1e4);

/// One endpoint, shared by all sets it is in and by the requests on it.
pub(crate) struct Endpoint<K, T> {
    pub(crate) key: K,
    pub(crate) service: T,
    pub(crate) gate: Gate,
    pub(crate) load: Arc<Load>,
    /// The state of the round robin, in units of the smallest weight.
    pub(crate) credit: AtomicI64,
    weight: AtomicU32,
    meta: Box<dyn Any + Send + Sync>,
}

impl<K, T> Endpoint<K, T> {
    pub(crate) fn new<M>(
        target: Target<K, M>,
        load: Load,
        gate: Gate,
        make: impl FnOnce(&K, &M, Gate) -> T,
    ) -> Self
    where
        M: Send + Sync + 'static,
    {
        let service = make(&target.key, &target.meta, gate.clone());
        let endpoint = Self {
            key: target.key,
            service,
            gate,
            load: Arc::new(load),
            credit: AtomicI64::new(0),
            weight: AtomicU32::new(0),
            meta: Box::new(target.meta),
        };
        endpoint.set_weight(target.weight);
        endpoint
    }

    pub(crate) fn weight(&self) -> f32 {
        f32::from_bits(self.weight.load(Ordering::Relaxed))
    }

    pub(crate) fn meta<M: 'static>(&self) -> Option<&M> {
        self.meta.downcast_ref()
    }

    fn set_weight(&self, weight: f32) {
        let weight = if weight > 0.0 {
            weight.clamp(WEIGHTS.0, WEIGHTS.1)
        } else {
            WEIGHTS.0
        };
        self.weight.store(weight.to_bits(), Ordering::Relaxed);
    }
}

/// An immutable set of endpoints.
pub(crate) struct Set<K, T> {
    pub(crate) endpoints: Vec<Arc<Endpoint<K, T>>>,
    /// Whether the service exists, as far as is known.
    pub(crate) exists: bool,
    /// Running sums of the weights; none if all are equal.
    cumulative: Option<Vec<f64>>,
}

impl<K, T> Set<K, T> {
    pub(crate) fn new(endpoints: Vec<Arc<Endpoint<K, T>>>, exists: bool) -> Self {
        let mut sum = 0.0;
        let sums = endpoints.iter().map(|endpoint| {
            sum += f64::from(endpoint.weight());
            sum
        });
        let sums: Vec<f64> = sums.collect();
        let equal = endpoints
            .windows(2)
            .all(|pair| pair[0].weight() == pair[1].weight());
        Self {
            endpoints,
            exists,
            cumulative: (!equal).then_some(sums),
        }
    }

    /// Draws an index in proportion to the weights. The set must not be empty.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> usize {
        match &self.cumulative {
            None => rng.random_range(0..self.endpoints.len()),
            Some(sums) => {
                let last = sums.len() - 1;
                let point = rng.random::<f64>() * sums[last];
                sums.partition_point(|sum| *sum <= point).min(last)
            }
        }
    }
}

impl<K: Clone + Eq + Hash, T> Set<K, T> {
    /// The set after `update`; `make` makes the endpoints that are new or whose metadata changed.
    pub(crate) fn next<M>(
        &self,
        update: Update<K, M>,
        make: impl FnMut(Target<K, M>) -> Endpoint<K, T>,
    ) -> Self
    where
        M: PartialEq + 'static,
    {
        match update {
            Update::Reset(targets) => {
                let keys: HashSet<&K> = targets.iter().map(|target| &target.key).collect();
                let kept = self.retain(|key| keys.contains(key));
                Self::new(upsert(kept, targets, make), true)
            }
            Update::Add(targets) => Self::new(upsert(self.endpoints.clone(), targets, make), true),
            Update::Remove(keys) => {
                let keys: HashSet<K> = keys.into_iter().collect();
                Self::new(self.retain(|key| !keys.contains(key)), self.exists)
            }
            Update::Empty { exists } => Self::new(Vec::new(), exists),
        }
    }

    /// The endpoints of this set that `next` does not have.
    pub(crate) fn gone<'a>(&'a self, next: &Self) -> impl Iterator<Item = &'a Arc<Endpoint<K, T>>> {
        let kept: HashSet<_> = next.endpoints.iter().map(Arc::as_ptr).collect();
        self.endpoints
            .iter()
            .filter(move |endpoint| !kept.contains(&Arc::as_ptr(endpoint)))
    }

    fn retain(&self, keep: impl Fn(&K) -> bool) -> Vec<Arc<Endpoint<K, T>>> {
        self.endpoints
            .iter()
            .filter(|endpoint| keep(&endpoint.key))
            .cloned()
            .collect()
    }
}

/// Merges `targets` into `endpoints`. Of two targets with the same key the later one counts.
fn upsert<K, T, M>(
    mut endpoints: Vec<Arc<Endpoint<K, T>>>,
    targets: Vec<Target<K, M>>,
    mut make: impl FnMut(Target<K, M>) -> Endpoint<K, T>,
) -> Vec<Arc<Endpoint<K, T>>>
where
    K: Clone + Eq + Hash,
    M: PartialEq + 'static,
{
    let keys = endpoints.iter().map(|endpoint| endpoint.key.clone());
    let mut positions: HashMap<K, usize> = keys.zip(0..).collect();
    for target in targets {
        match positions.get(&target.key).map(|at| &mut endpoints[*at]) {
            Some(known) if known.meta() == Some(&target.meta) => known.set_weight(target.weight),
            Some(known) => *known = Arc::new(make(target)),
            None => {
                positions.insert(target.key.clone(), endpoints.len());
                endpoints.push(Arc::new(make(target)));
            }
        }
    }
    endpoints
}

#[cfg(test)]
mod tests;
