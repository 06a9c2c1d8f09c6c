//! A weighted random endpoint among the open ones; also how the candidates of `p2c.rs` are drawn.
//!
//! Drawing from all and rejecting what is shut is exact and O(log N) (O(1) with equal weights), and needs no list of
//! the open ones that every gate would have to maintain. It is slow only if most are shut: after a few rejections the
//! set is scanned instead.

use crate::endpoint::Set;
use rand::Rng;

/// Draws before the set is scanned. With half of the gates shut, one pick in 64 scans.
const DRAWS: usize = 6;

/// The index of an open endpoint other than `except`, drawn in proportion to the weights.
pub(crate) fn pick<K, T>(
    set: &Set<K, T>,
    except: Option<usize>,
    rng: &mut impl Rng,
) -> Option<usize> {
    if set.endpoints.len() <= usize::from(except.is_some()) {
        return None;
    }
    let eligible = |at: &usize| Some(*at) != except && set.endpoints[*at].gate.is_open();
    let drawn = std::iter::repeat_with(|| set.draw(rng))
        .take(DRAWS)
        .find(eligible);
    drawn.or_else(|| scan(set, except, rng))
}

fn scan<K, T>(set: &Set<K, T>, except: Option<usize>, rng: &mut impl Rng) -> Option<usize> {
    let mut total = 0.0;
    let mut chosen = None;
    for (at, endpoint) in set.endpoints.iter().enumerate() {
        if Some(at) == except || !endpoint.gate.is_open() {
            continue;
        }
        // Reservoir sampling: one pass, so a gate that flips meanwhile can't leave it without a result.
        let weight = f64::from(endpoint.weight());
        total += weight;
        if rng.random::<f64>() * total < weight {
            chosen = Some(at);
        }
    }
    chosen
}
