//! Power of two choices: draw two open endpoints, take the cheaper one.
//!
//! Two choices are nearly as good as comparing all and do not herd: many clients with the same stale view would all
//! send to the one global minimum (Mitzenmacher, "The power of two choices in randomized load balancing", 2001).
//!
//! Weights: both candidates are drawn in proportion to them, and the first one wins a tie, which gives exact shares
//! when the costs are equal. Latencies are never exactly equal in practice, and of two endpoints with weights 2 and 1
//! both are always drawn; so between *different* weights, latencies that differ by less than a fifth count as equal.
//! Dividing the cost by the weight instead would send everything to the heavier endpoint of an idle service. At less
//! than about a request per second and endpoint the estimates fade between samples, and the shares drift towards
//! equal ones.

use super::random;
use crate::endpoint::{Endpoint, Set};
use rand::Rng;
use std::sync::Arc;
use tokio::time::Instant;

/// Between different weights, the ratio of two latencies above which they count as equal.
const ALIKE: f64 = 0.8;

/// What makes an endpoint expensive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cost {
    /// The expected latency times the queue.
    Latency,
    /// Requests in flight per unit of weight.
    Requests,
}

impl Cost {
    fn is_less<K, T>(self, a: &Endpoint<K, T>, b: &Endpoint<K, T>, now: Instant) -> bool {
        let (queue_a, queue_b) = (a.load.queue(a.weight()), b.load.queue(b.weight()));
        let (latency_a, latency_b) = match self {
            Self::Requests => return queue_a < queue_b,
            Self::Latency => (a.load.latency(now), b.load.latency(now)),
        };
        let alike = latency_a.min(latency_b) > ALIKE * latency_a.max(latency_b);
        if alike && a.weight() != b.weight() {
            return queue_a < queue_b;
        }
        latency_a * (1.0 + queue_a) < latency_b * (1.0 + queue_b)
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
    Some(if cost.is_less(second, first, now) {
        second
    } else {
        first
    })
}
