//! Known defects of peak-EWMA balancers, in a small simulation with virtual time and fixed seeds.
//!
//! D1 to D4 are named after the list of defects the balancer was designed against; each test says what the usual
//! algorithm does and what is asked of ours.

use mesh_balancer::{Balancer, Config, Outcome, Pick, Target, Update};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};
use tokio::time::Instant;

/// An answer of an endpoint: after how many milliseconds, and how.
type Answer = (f64, Outcome);

struct Simulation {
    balancer: Balancer<usize, ()>,
    rng: SmallRng,
    now: Instant,
    /// End, request number, outcome; the picks by request number.
    ends: BinaryHeap<Reverse<(Instant, usize)>>,
    running: Vec<Option<(Pick<usize, ()>, Outcome)>>,
}

impl Simulation {
    fn new(endpoints: usize, seed: u64) -> Self {
        let simulation = Self {
            balancer: Balancer::new(Config::default()),
            rng: SmallRng::seed_from_u64(seed),
            now: Instant::now(),
            ends: BinaryHeap::new(),
            running: Vec::new(),
        };
        simulation.resize(endpoints);
        simulation
    }

    fn resize(&self, endpoints: usize) {
        let targets = (0..endpoints).map(|key| Target::new(key, ())).collect();
        self.balancer
            .update_at(self.now, Update::Reset(targets), |_, (), _| ());
    }

    /// Poisson arrivals of `rate` per second for `seconds`; returns each endpoint's share of the requests.
    fn run(
        &mut self,
        rate: f64,
        seconds: f64,
        mut serve: impl FnMut(usize, &mut SmallRng) -> Answer,
    ) -> Vec<f64> {
        let end = self.now + Duration::from_secs_f64(seconds);
        let mut counts = vec![0.0; self.balancer.len()];
        loop {
            let gap = exponential(1.0 / rate, &mut self.rng);
            let arrival = self.now + Duration::from_secs_f64(gap);
            self.finish_until(arrival.min(end));
            if arrival > end {
                break;
            }
            let pick = self
                .balancer
                .pick(self.now, &mut self.rng)
                .expect("all endpoints are ready");
            let (millis, outcome) = serve(*pick.key(), &mut self.rng);
            counts[*pick.key()] += 1.0;
            self.ends.push(Reverse((
                self.now + Duration::from_secs_f64(millis / 1e3),
                self.running.len(),
            )));
            self.running.push(Some((pick, outcome)));
        }
        let total: f64 = counts.iter().sum();
        counts.into_iter().map(|count| count / total).collect()
    }

    fn finish_until(&mut self, until: Instant) {
        while let Some(Reverse((end, request))) = self.ends.pop_if_due(until) {
            if let Some((mut pick, outcome)) = self.running[request].take() {
                pick.first_byte(end, outcome);
            }
        }
        self.now = until;
    }
}

trait PopIfDue {
    fn pop_if_due(&mut self, until: Instant) -> Option<Reverse<(Instant, usize)>>;
}

impl PopIfDue for BinaryHeap<Reverse<(Instant, usize)>> {
    fn pop_if_due(&mut self, until: Instant) -> Option<Reverse<(Instant, usize)>> {
        if self.peek()?.0.0 > until {
            None
        } else {
            self.pop()
        }
    }
}

fn exponential(mean: f64, rng: &mut SmallRng) -> f64 {
    -mean * (1.0 - rng.random::<f64>()).ln()
}

fn success(mean: f64, rng: &mut SmallRng) -> Answer {
    (exponential(mean, rng), Outcome::Success)
}

/// The mean of a result over some seeds: single runs of noisy latencies scatter.
fn mean_of_seeds(result: impl Fn(u64) -> f64) -> f64 {
    (1..=8).map(result).sum::<f64>() / 8.0
}

/// The share of an endpoint that fails at once, beside healthy ones that answer in about 10 ms.
fn sinkhole_share(endpoints: usize, rate: f64, outcome: Outcome) -> f64 {
    let mut simulation = Simulation::new(endpoints, 5);
    let serve = |key, rng: &mut SmallRng| {
        if key == 0 {
            (0.2, outcome)
        } else {
            success(10.0, rng)
        }
    };
    simulation.run(rate, 20_000.0 / rate, serve)[0]
}

#[test]
fn d1_simulation_shows_the_sinkhole_when_failures_pass_for_answers() {
    let share = sinkhole_share(5, 500.0, Outcome::Success);
    assert!(
        (0.38..0.42).contains(&share),
        "2/N of all requests: {share}"
    );
}

#[test]
fn d1_failing_endpoint_gets_less_than_its_fair_share() {
    for (endpoints, rate, most) in [
        (5, 500.0, 0.005),
        (5, 50.0, 0.02),
        (5, 2.0, 0.2),
        (3, 300.0, 0.005),
        (2, 200.0, 0.01),
    ] {
        let share = sinkhole_share(endpoints, rate, Outcome::Failure);
        assert!(share <= most, "1 of {endpoints} at {rate}/s: {share}");
    }
}

#[test]
fn d1_busy_endpoint_that_turns_bad_is_left_within_seconds() {
    let serve = |key, rng: &mut SmallRng| {
        if key == 0 {
            (0.2, Outcome::Failure)
        } else {
            success(5.0, rng)
        }
    };
    let share = mean_of_seeds(|seed| {
        let mut simulation = Simulation::new(5, seed);
        simulation.run(200.0, 20.0, |_, rng| success(5.0, rng));
        simulation.run(200.0, 2.0, serve);
        simulation.run(200.0, 2.0, serve)[0]
    });
    assert!(share < 0.02, "{share}");
}

#[test]
fn d2_failures_that_end_do_not_starve_an_endpoint() {
    let healthy = |_, rng: &mut SmallRng| success(5.0, rng);
    let failing = |key, rng: &mut SmallRng| {
        if key == 0 {
            (0.2, Outcome::Failure)
        } else {
            success(5.0, rng)
        }
    };
    let share_after = |seconds| {
        mean_of_seeds(|seed| {
            let mut simulation = Simulation::new(5, seed);
            simulation.run(200.0, 20.0, healthy);
            simulation.run(200.0, 5.0, failing);
            simulation.run(200.0, seconds, healthy);
            simulation.run(200.0, 1.0, healthy)[0]
        })
    };
    // Linkerd's penalty of 5 s would keep it away for 69 s.
    let (at_once, soon) = (share_after(0.0), share_after(7.0));
    assert!(
        at_once < 0.1 && soon > 0.15,
        "at once {at_once}, soon {soon}"
    );
}

#[test]
fn d2_failures_everywhere_do_not_hide_a_slow_endpoint() {
    let slow_share = |failing: f64| {
        mean_of_seeds(|seed| {
            let mut simulation = Simulation::new(5, seed);
            let shares = simulation.run(500.0, 20.0, |key, rng| {
                let outcome = if rng.random_bool(failing) {
                    Outcome::Failure
                } else {
                    Outcome::Success
                };
                (exponential(if key == 0 { 50.0 } else { 5.0 }, rng), outcome)
            });
            shares[0]
        })
    };
    let (without, with) = (slow_share(0.0), slow_share(0.005));
    assert!(
        without < 0.05 && with < without * 1.1,
        "without {without}, with {with}"
    );
}

#[test]
fn d3_newcomer_neither_soaks_up_a_slow_fleet_nor_starves_in_a_fast_one() {
    for millis in [200.0, 1.0] {
        let serve = |_, rng: &mut SmallRng| success(millis, rng);
        let share_after = |seconds| {
            mean_of_seeds(|seed| {
                let mut simulation = Simulation::new(5, seed);
                simulation.run(300.0, 20.0, serve);
                simulation.resize(6);
                simulation.run(300.0, seconds, serve);
                simulation.run(300.0, 1.0, serve)[5]
            })
        };
        let (first, second) = (share_after(0.0), share_after(1.0));
        assert!(
            first < 1.4 / 6.0 && second > 0.6 / 6.0,
            "{millis} ms: first {first}, second {second}"
        );
    }
}

#[test]
fn d4_noisy_latencies_leave_the_shares_even() {
    let mut simulation = Simulation::new(5, 5);
    let shares = simulation.run(500.0, 120.0, |_, rng| success(10.0, rng));
    assert!(
        shares.iter().all(|share| (share - 0.2).abs() < 0.02),
        "{shares:?}"
    );
}
