//! The choice of an endpoint, one file per policy.
//!
//! All policies choose among the endpoints whose gate is open, honour weights, and give a weight of 2 twice the share
//! of a weight of 1 when there is no other reason to prefer one. An enum rather than a trait object, as there are four of
//! them and the choice is on every request's path.

mod p2c;
mod random;
mod round_robin;

use self::{p2c::Cost, round_robin::RoundRobin};
use crate::{
    InFlight, Outcome, Policy,
    endpoint::{Endpoint, Set},
};
use rand::Rng;
use std::{fmt, ops::Deref, sync::Arc};
use tokio::time::Instant;

/// A policy with its state.
pub(crate) enum Picker {
    P2c(Cost),
    RoundRobin(RoundRobin),
    Random,
}

impl Picker {
    pub(crate) fn new(policy: &Policy) -> Self {
        match policy {
            Policy::PeakEwma { .. } => Self::P2c(Cost::Latency),
            Policy::LeastRequest => Self::P2c(Cost::Requests),
            Policy::RoundRobin => Self::RoundRobin(RoundRobin::default()),
            Policy::Random => Self::Random,
        }
    }

    /// An endpoint of `set` whose gate is open, if there is one.
    pub(crate) fn pick<'a, K, T>(
        &self,
        set: &'a Set<K, T>,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<&'a Arc<Endpoint<K, T>>> {
        match self {
            Self::P2c(cost) => p2c::pick(set, *cost, now, rng),
            Self::RoundRobin(round_robin) => round_robin.pick(set),
            Self::Random => random::pick(set, None, rng).map(|at| &set.endpoints[at]),
        }
    }
}

/// A picked endpoint, with a request in flight on it until this is dropped.
///
/// Dereferences to the endpoint's service.
pub struct Pick<K, T> {
    endpoint: Arc<Endpoint<K, T>>,
    in_flight: InFlight,
}

impl<K, T> Pick<K, T> {
    pub(crate) fn new(endpoint: Arc<Endpoint<K, T>>, now: Instant) -> Self {
        let in_flight = InFlight::new(endpoint.load.clone(), now);
        Self {
            endpoint,
            in_flight,
        }
    }

    /// The endpoint's key.
    pub fn key(&self) -> &K {
        &self.endpoint.key
    }

    /// The metadata the endpoint's service was made from, if it is of type `M`.
    pub fn meta<M: 'static>(&self) -> Option<&M> {
        self.endpoint.meta()
    }

    /// Whether the endpoint's gate is open.
    pub fn is_ready(&self) -> bool {
        self.endpoint.gate.is_open()
    }

    /// See [`InFlight::restart`].
    pub fn restart(&mut self, now: Instant) {
        self.in_flight.restart(now);
    }

    /// See [`InFlight::first_byte`].
    pub fn first_byte(&mut self, now: Instant, outcome: Outcome) {
        self.in_flight.first_byte(now, outcome);
    }

    /// See [`InFlight::complete`].
    pub fn complete(self) {}

    /// Lets go of the endpoint but not of its load.
    pub fn into_in_flight(self) -> InFlight {
        self.in_flight
    }
}

impl<K, T> Deref for Pick<K, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.endpoint.service
    }
}

impl<K: fmt::Debug, T> fmt::Debug for Pick<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pick")
            .field("key", self.key())
            .field("in_flight", &self.in_flight)
            .finish()
    }
}

#[cfg(test)]
mod tests;
