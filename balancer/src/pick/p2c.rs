//! Power of two choices: draw two open endpoints, take the cheaper one.
//!
//! Two choices are nearly as good as comparing all and do not herd: many clients with the same stale view would all
//! send to the one global minimum (Mitzenmacher, "The power of two choices in randomized load balancing", 2001).
//!
//! Weights: both candidates are drawn in proportion to them, and the first one wins a tie, which gives exact shares
//! when the costs are equal. Costs are never exactly equal in practice, and with two endpoints of weights 2 and 1 both
//! are always drawn; so between *different* weights, the second must be clearly cheaper. Dividing the whole cost by
//! the weight instead would send everything to the heavier endpoint of an idle service. At less than about a request
//! per second and endpoint the estimates fade between samples, and the shares drift towards equal ones.

use super::random;
use crate::endpoint::{Endpoint, Set};
use rand::Rng;
use std::sync::Arc;
use tokio::time::Instant;

/// Between different weights, what the second candidate may cost at most relative to the first to win.
const CLEARLY_CHEAPER: f64 = 0.8;

/// What makes an endpoint expensive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cost {
    /// The expected latency times the queue.
    Latency,
    /// Requests in flight per unit of weight.
    Requests,
}

impl Cost {
    fn of<K, T>(self, endpoint: &Endpoint<K, T>, now: Instant) -> f64 {
        match self {
            Self::Latency => endpoint.load.cost(now, endpoint.weight()),
            Self::Requests => endpoint.load.queue(endpoint.weight()),
        }
    }
}

pub(crate) fn pick<'a, K, T>(
    set: &'a Set<K, T>,
    cost: Cost,
    now: Instant,
    rng: &mut impl Rng,
) -> Option<&'a Arc<Endpoint<K, T>>> {
    let first_at = random::pick(set, None, rng)?;
    let first = &set.endpoints[first_at];
    let Some(second_at) = random::pick(set, Some(first_at), rng) else {
        return Some(first);
    };
    let second = &set.endpoints[second_at];
    let bar = if first.weight() == second.weight() {
        1.0
    } else {
        CLEARLY_CHEAPER
    };
    let second_wins = cost.of(second, now) < cost.of(first, now) * bar;
    Some(if second_wins { second } else { first })
}
