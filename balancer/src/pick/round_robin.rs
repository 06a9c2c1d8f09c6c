//! Smooth weighted round robin, as in nginx: weights 5, 1, 1 give `a a b a c a a`, not `a a a a a b c`.
//!
//! Each pick gives every open endpoint its weight as credit, takes the richest one, and charges it all that was given
//! out. It is O(N) under a lock, and in return exact, and fair to the neighbours of a shut endpoint (a plain counter
//! gives the next one double). The credit lives in the endpoint and so survives updates.

use crate::endpoint::{Endpoint, Set};
use parking_lot::Mutex;
use std::sync::{Arc, atomic::Ordering};

/// Credit per weight of 1.0: the smallest weight is one unit.
const UNITS: f32 = 10_000.0;

/// Guards the credits of a balancer's endpoints.
#[derive(Default)]
pub(crate) struct RoundRobin {
    turn: Mutex<()>,
}

impl RoundRobin {
    pub(crate) fn pick<'a, K, T>(&self, set: &'a Set<K, T>) -> Option<&'a Arc<Endpoint<K, T>>> {
        let _turn = self.turn.lock();
        let mut given = 0;
        let mut richest: Option<(&Arc<Endpoint<K, T>>, i64)> = None;
        for endpoint in set
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.gate.is_open())
        {
            let units = (endpoint.weight() * UNITS).round() as i64;
            let credit = endpoint.credit.fetch_add(units, Ordering::Relaxed) + units;
            given += units;
            if richest.is_none_or(|(_, most)| credit > most) {
                richest = Some((endpoint, credit));
            }
        }
        let (endpoint, _) = richest?;
        endpoint.credit.fetch_sub(given, Ordering::Relaxed);
        Some(endpoint)
    }
}
