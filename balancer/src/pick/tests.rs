use super::*;
use crate::{Balancer, Config, Gate, Target, Unavailable, Update};
use rand::{SeedableRng, rngs::SmallRng};
use std::time::Duration;

const POLICIES: [fn() -> Policy; 4] = [
    Policy::default,
    || Policy::RoundRobin,
    || Policy::LeastRequest,
    || Policy::Random,
];

fn balancer(policy: Policy, weights: &[f32]) -> Balancer<usize, Gate> {
    let balancer = Balancer::new(Config { policy });
    let targets = weights.iter().enumerate().map(|(key, weight)| Target {
        key,
        weight: *weight,
        meta: (),
    });
    balancer.update(Update::Reset(targets.collect()), |_, (), gate| gate);
    balancer
}

/// The shares of `requests` sequential requests, 10 ms apart, that all take about 5 ms.
fn shares(balancer: &Balancer<usize, Gate>, requests: u32) -> Vec<f64> {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut now = Instant::now();
    let mut counts = vec![0; balancer.len()];
    for _ in 0..requests {
        let mut pick = balancer.pick(now, &mut rng).unwrap();
        let latency = Duration::from_micros(rng.random_range(4_900..5_100));
        pick.first_byte(now + latency, Outcome::Success);
        counts[*pick.key()] += 1;
        now += Duration::from_millis(10);
    }
    counts
        .into_iter()
        .map(|count| f64::from(count) / f64::from(requests))
        .collect()
}

#[track_caller]
fn assert_shares(actual: &[f64], expected: &[f64]) {
    let near = actual
        .iter()
        .zip(expected)
        .all(|(actual, expected)| (actual - expected).abs() < 0.02);
    assert!(near, "{actual:?} instead of {expected:?}");
}

#[test]
fn equal_endpoints_get_equal_shares() {
    for policy in POLICIES {
        assert_shares(&shares(&balancer(policy(), &[1.0; 5]), 20_000), &[0.2; 5]);
    }
}

#[test]
fn weights_are_shares_when_idle() {
    for policy in POLICIES {
        assert_shares(
            &shares(&balancer(policy(), &[2.0, 1.0]), 20_000),
            &[2.0 / 3.0, 1.0 / 3.0],
        );
        assert_shares(
            &shares(&balancer(policy(), &[2.0, 1.0, 1.0]), 20_000),
            &[0.5, 0.25, 0.25],
        );
        assert_shares(
            &shares(&balancer(policy(), &[3.0, 1.0, 0.0]), 20_000),
            &[0.75, 0.25, 0.0],
        );
    }
}

#[test]
fn weights_are_shares_of_the_requests_in_flight() {
    for policy in [Policy::default(), Policy::LeastRequest] {
        let balancer = balancer(policy, &[2.0, 1.0, 1.0]);
        let (mut rng, now) = (SmallRng::seed_from_u64(3), Instant::now());
        let _held: Vec<_> = (0..400)
            .map(|_| balancer.pick(now, &mut rng).unwrap())
            .collect();
        let pending: Vec<_> = balancer
            .snapshot(now)
            .iter()
            .map(|status| f64::from(status.pending) / 400.0)
            .collect();
        assert_shares(&pending, &[0.5, 0.25, 0.25]);
    }
}

#[test]
fn round_robin_is_smooth() {
    let balancer = balancer(Policy::RoundRobin, &[5.0, 1.0, 1.0]);
    let mut rng = SmallRng::seed_from_u64(1);
    let order: Vec<_> = (0..7)
        .map(|_| *balancer.pick(Instant::now(), &mut rng).unwrap().key())
        .collect();
    assert_eq!(order, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn round_robin_shares_a_shut_endpoints_turns_among_all() {
    let balancer = balancer(Policy::RoundRobin, &[1.0; 4]);
    balancer.set().endpoints[1].service.shut();
    assert_shares(
        &shares(&balancer, 300),
        &[1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0],
    );
}

#[test]
fn only_open_endpoints_are_picked_and_in_proportion() {
    for policy in POLICIES {
        // 97 of 100 are shut: the scan must be as fair as the draws.
        let balancer = balancer(policy(), &[1.0; 100]);
        let set = balancer.set();
        (0..97).for_each(|at| set.endpoints[at].service.shut());
        assert_eq!(balancer.ready_len(), 3);
        assert_shares(&shares(&balancer, 6_000)[97..], &[1.0 / 3.0; 3]);
    }
}

#[test]
fn nothing_to_pick_says_why() {
    let (now, mut rng) = (Instant::now(), SmallRng::seed_from_u64(1));
    for policy in POLICIES {
        let empty = balancer(policy(), &[]);
        assert_eq!(empty.pick(now, &mut rng).unwrap_err(), Unavailable::Empty);
        let shut = balancer(policy(), &[1.0, 1.0]);
        shut.set()
            .endpoints
            .iter()
            .for_each(|endpoint| endpoint.service.shut());
        assert_eq!(
            shut.pick(now, &mut rng).unwrap_err(),
            Unavailable::NoneReady
        );
    }
}

#[test]
fn faster_and_less_loaded_endpoints_win() {
    let balancer = balancer(Policy::default(), &[1.0, 1.0]);
    let (now, mut rng) = (Instant::now(), SmallRng::seed_from_u64(1));
    let picks = std::array::from_fn(|_| balancer.pick(now, &mut rng).unwrap());
    let [mut fast, mut slow]: [Pick<_, _>; 2] = picks;
    assert_ne!(
        fast.key(),
        slow.key(),
        "the second one goes where none is in flight"
    );
    fast.first_byte(now + Duration::from_millis(10), Outcome::Success);
    slow.first_byte(now + Duration::from_millis(25), Outcome::Success);
    let (fast_key, slow_key) = (*fast.key(), *slow.key());
    drop((fast, slow));
    // 10 ms against 25 ms: the fast one is preferred until it has two requests in flight.
    let now = now + Duration::from_millis(25);
    let held: Vec<_> = (0..3)
        .map(|_| balancer.pick(now, &mut rng).unwrap())
        .collect();
    let keys: Vec<_> = held.iter().map(|pick| *pick.key()).collect();
    assert_eq!(keys, [fast_key, fast_key, slow_key]);
}

#[test]
fn policy_changes_while_endpoints_and_requests_stay() {
    let balancer = balancer(Policy::Random, &[1.0; 3]);
    let (now, mut rng) = (Instant::now(), SmallRng::seed_from_u64(1));
    let held: Vec<_> = (0..30)
        .map(|_| balancer.pick(now, &mut rng).unwrap())
        .collect();
    let pending = |balancer: &Balancer<usize, Gate>| -> Vec<_> {
        balancer
            .snapshot(now)
            .iter()
            .map(|status| status.pending)
            .collect()
    };
    let before = pending(&balancer);
    balancer.set_policy(&Policy::RoundRobin);
    assert_eq!(pending(&balancer), before);
    let order: Vec<_> = (0..6)
        .map(|_| *balancer.pick(now, &mut rng).unwrap().key())
        .collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    drop(held);
    // Parameters change as well: what is presumed of an endpoint that has not answered.
    let (default_rtt, decay) = (Duration::from_millis(70), Duration::from_secs(3600));
    balancer.set_policy(&Policy::PeakEwma {
        default_rtt,
        decay,
        failure_penalty: 0.0,
    });
    let load = balancer.snapshot(now)[0].load;
    assert!(
        load > Duration::from_millis(60) && load <= default_rtt,
        "{load:?}"
    );
}
