use super::*;
use crate::Policy;

const MS: Duration = Duration::from_millis(1);

fn fleet() -> Arc<Fleet> {
    Arc::new(Fleet::new(Policy::default().params()))
}

/// A request that starts at `start` and answers after `elapsed`.
fn answer(load: &Arc<Load>, start: Instant, elapsed: Duration, outcome: Outcome) {
    InFlight::new(load.clone(), start).first_byte(start + elapsed, outcome);
}

fn millis(load: &Load, now: Instant) -> f64 {
    load.latency(now) * 1e3
}

#[track_caller]
fn assert_near(value: f64, expected: f64) {
    assert!(
        (value - expected).abs() <= expected * 0.01 + 1e-6,
        "{value} is not near {expected}"
    );
}

#[test]
fn peak_replaces_and_lower_samples_pull_down_with_time() {
    let now = Instant::now();
    let mut ewma = PeakEwma::new(now);
    ewma.add_peak(now, 10.0, 0.010, None);
    ewma.add_peak(now, 10.0, 0.100, None);
    assert_near(ewma.get_at(now, 10.0, 0.0), 0.100);
    // 10 s later the old peak counts 1/e, the sample the rest.
    let later = now + Duration::from_secs(10);
    ewma.add_peak(later, 10.0, 0.010, None);
    assert_near(
        ewma.get_at(later, 10.0, 0.0),
        0.100 / std::f64::consts::E + 0.010 * (1.0 - 1.0 / std::f64::consts::E),
    );
}

#[test]
fn reading_does_not_change_the_estimate() {
    let now = Instant::now();
    let mut ewma = PeakEwma::new(now);
    ewma.add_peak(now, 10.0, 0.100, None);
    let late = now + Duration::from_secs(60);
    assert_near(ewma.get_at(late, 10.0, 0.0), 0.100 * (-6.0f64).exp());
    assert_near(ewma.get_at(now, 10.0, 0.0), 0.100);
    assert_near(ewma.get_at(late, 10.0, 0.0), 0.100 * (-6.0f64).exp());
}

#[test]
fn time_that_runs_backwards_is_no_time() {
    let now = Instant::now() + Duration::from_secs(5);
    let mut ewma = PeakEwma::new(now);
    ewma.add_peak(now, 10.0, 0.100, None);
    ewma.add_peak(now - Duration::from_secs(3), 10.0, 0.010, None);
    assert_near(ewma.get_at(now - Duration::from_secs(1), 10.0, 0.0), 0.100);
}

#[test]
fn queue_is_counted_per_unit_of_weight() {
    let now = Instant::now();
    let load = Arc::new(Load::new(fleet(), now));
    let requests: Vec<_> = (0..4).map(|_| InFlight::new(load.clone(), now)).collect();
    assert_near(load.queue(1.0), 4.0);
    assert_near(load.queue(2.0), 2.0);
    drop(requests);
    assert_near(load.queue(2.0), 0.0);
}

#[test]
fn d1_fast_failure_is_not_a_fast_sample() {
    let now = Instant::now();
    let fleet = fleet();
    let healthy = Arc::new(Load::new(fleet.clone(), now));
    let failing = Arc::new(Load::new(fleet, now));
    answer(&healthy, now, 10 * MS, Outcome::Success);
    let now = now + 10 * MS;
    answer(&failing, now, MS / 10, Outcome::Failure);
    // The typical latency for itself, and 10 of it as the penalty.
    assert_near(millis(&failing, now + MS / 10), 110.0);
    assert_near(millis(&healthy, now), 10.0);
}

#[test]
fn d2_one_failure_costs_seconds_not_minutes() {
    for typical in [MS, 5 * MS, 50 * MS, 1000 * MS] {
        let now = Instant::now();
        let load = Arc::new(Load::new(fleet(), now));
        answer(&load, now, typical, Outcome::Success);
        // Long enough ago for the success not to soften the penalty.
        let now = now + Duration::from_secs(60);
        answer(&load, now, typical, Outcome::Failure);
        let now = now + typical;
        let ratio = |seconds| {
            millis(&load, now + Duration::from_secs(seconds)) / (typical.as_secs_f64() * 1e3)
        };
        assert!(ratio(0) > 10.0, "diverts at once: {}", ratio(0));
        assert!(ratio(4) < 1.5, "after 4 s: {}", ratio(4));
        assert!(ratio(6) < 1.0, "back within 6 s: {}", ratio(6));
    }
}

#[test]
fn d2_stray_failures_of_a_busy_endpoint_hide_no_latency() {
    // 100 requests/s, 0.5 % of them fail: the estimate stays within 2 % of the true 10 ms.
    let mut now = Instant::now();
    let load = Arc::new(Load::new(fleet(), now));
    for n in 0..3000 {
        let outcome = if n % 200 == 199 {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        answer(&load, now, 10 * MS, outcome);
        now += 10 * MS;
        if n > 400 {
            let estimate = millis(&load, now);
            assert!(
                (9.9..10.2).contains(&estimate),
                "request {n}: {estimate} ms"
            );
        }
    }
}

#[test]
fn penalty_is_bounded_whatever_came_before() {
    let mut now = Instant::now();
    let fleet = fleet();
    answer(
        &Arc::new(Load::new(fleet.clone(), now)),
        now,
        10 * MS,
        Outcome::Success,
    );
    let load = Arc::new(Load::new(fleet, now));
    for _ in 0..10_000 {
        answer(&load, now, MS, Outcome::Failure);
        now += MS;
    }
    assert!(millis(&load, now) <= 110.1);
    assert!(millis(&load, now + Duration::from_secs(6)) < 10.0);
}

#[test]
fn slow_failures_are_slow_too() {
    let now = Instant::now();
    let load = Arc::new(Load::new(fleet(), now));
    answer(&load, now, 400 * MS, Outcome::Failure);
    // Its own latency and ten times the presumed 30 ms.
    assert_near(millis(&load, now + 400 * MS), 700.0);
}

#[test]
fn d3_newcomer_is_presumed_typical() {
    for typical in [MS, 200 * MS] {
        let now = Instant::now();
        let fleet = fleet();
        assert_near(millis(&Load::new(fleet.clone(), now), now), 30.0);
        for _ in 0..10 {
            answer(
                &Arc::new(Load::new(fleet.clone(), now)),
                now,
                typical,
                Outcome::Success,
            );
        }
        let newcomer = Load::new(fleet, now);
        assert_near(newcomer.latency(now), typical.as_secs_f64());
    }
}

#[test]
fn d4_estimate_is_a_recent_peak_and_no_average() {
    // Known and kept: one slow answer among fast ones is remembered for seconds.
    let mut now = Instant::now();
    let load = Arc::new(Load::new(fleet(), now));
    answer(&load, now, 100 * MS, Outcome::Success);
    now += 100 * MS;
    for _ in 0..100 {
        answer(&load, now, 10 * MS, Outcome::Success);
        now += 10 * MS;
    }
    assert!(
        (85.0..95.0).contains(&millis(&load, now)),
        "{}",
        millis(&load, now)
    );
}

#[test]
fn d9_long_poll_does_not_starve_its_endpoint() {
    let now = Instant::now();
    let load = Arc::new(Load::new(fleet(), now));
    answer(&load, now, 10 * MS, Outcome::Success);
    let now = now + Duration::from_secs(3600);
    answer(
        &load,
        now - Duration::from_secs(3600),
        Duration::from_secs(3600),
        Outcome::Success,
    );
    // Not an hour: 50 times the typical 10 ms, which is forgotten after 10 s * ln(50).
    assert_near(millis(&load, now), 500.0);
    assert!(millis(&load, now + Duration::from_secs(40)) < 10.0);
}

#[test]
fn d9_stream_counts_until_its_end() {
    let now = Instant::now();
    let load = Arc::new(Load::new(fleet(), now));
    let mut stream = InFlight::new(load.clone(), now);
    stream.first_byte(now + 10 * MS, Outcome::Success);
    stream.first_byte(now + 500 * MS, Outcome::Failure);
    assert_near(millis(&load, now + 10 * MS), 10.0);
    assert_eq!(load.in_flight(), 1);
    stream.complete();
    assert_eq!(load.in_flight(), 0);
}

#[test]
fn cancelled_request_releases_its_load_and_records_nothing() {
    let now = Instant::now();
    let load = Arc::new(Load::new(fleet(), now));
    answer(&load, now, 10 * MS, Outcome::Success);
    let cancelled = InFlight::new(load.clone(), now + 10 * MS);
    assert_eq!(load.in_flight(), 1);
    drop(cancelled);
    assert_eq!(load.in_flight(), 0);
    assert_near(millis(&load, now + 10 * MS), 10.0);
}

#[test]
fn restart_leaves_the_handshake_out() {
    let now = Instant::now();
    let load = Arc::new(Load::new(fleet(), now));
    let mut request = InFlight::new(load.clone(), now);
    request.restart(now + 80 * MS);
    request.first_byte(now + 90 * MS, Outcome::Success);
    assert_near(millis(&load, now + 90 * MS), 10.0);
}

#[test]
fn outliers_hardly_move_what_is_typical() {
    let fleet = fleet();
    fleet.observe(0.010);
    fleet.observe(10.0);
    assert_near(fleet.typical(), 0.0115);
    (0..200).for_each(|_| fleet.observe(1.0));
    assert_near(fleet.typical(), 1.0);
}
