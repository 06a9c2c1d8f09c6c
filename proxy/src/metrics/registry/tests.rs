use super::*;
use crate::metrics::family::{DETECTION, counter, gauge, histogram};

static REQUESTS: Family = counter("requests_total", "Requests.");
static OPEN: Family = gauge("open", "Open.");
static TIME: Family = histogram("time_seconds", "Time.", &DETECTION);

const RETAIN: Duration = Duration::from_secs(600);

fn registry(max_label_sets: usize) -> Registry {
    Registry::new(MetricsConfig {
        retain_idle: RETAIN,
        max_label_sets,
        hostname_labels: false,
    })
}

fn target(n: usize) -> Labels {
    Labels::new()
        .with("target_port", n.to_string())
        .with("direction", "outbound")
}

/// Labels and values of the counters of a family.
fn counters(registry: &Registry) -> Vec<(String, u64)> {
    let (families, _) = registry.snapshot(Instant::now());
    let value = |(labels, cell): (Labels, Cell)| match cell {
        Cell::Counter(cell) => Some((
            format!("{:?}", labels.iter().collect::<Vec<_>>()),
            Cell::load(&cell),
        )),
        Cell::Gauge(_) | Cell::Histogram(_) => None,
    };
    families
        .into_iter()
        .flat_map(|(_, sets)| sets)
        .filter_map(value)
        .collect()
}

fn sets(registry: &Registry) -> usize {
    let (families, _) = registry.snapshot(Instant::now());
    families.iter().map(|(_, sets)| sets.len()).sum()
}

#[tokio::test(start_paused = true)]
async fn same_labels_share_one_set_whatever_their_order() {
    let registry = registry(10);
    let a = Labels::new().with("a", "1").with("b", "2");
    let b = Labels::new().with("b", "2").with("a", "1");
    registry.counter(&REQUESTS, &a).increment(1);
    registry.counter(&REQUESTS, &b).increment(1);
    assert_eq!(
        counters(&registry),
        [(r#"[("a", "1"), ("b", "2")]"#.into(), 2)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_held_counter_never_ends_and_a_dropped_one_is_retained() {
    let registry = registry(10);
    let held = registry.counter(&REQUESTS, &target(1));
    let dropped = registry.counter(&REQUESTS, &target(2));
    dropped.increment(5);
    drop(dropped);
    assert_eq!(sets(&registry), 2);
    tokio::time::advance(RETAIN - Duration::from_secs(1)).await;
    assert_eq!(sets(&registry), 2);
    // Its owner comes back: it goes on counting, and is retained anew.
    registry.counter(&REQUESTS, &target(2)).increment(1);
    assert_eq!(counters(&registry)[1].1, 6);
    tokio::time::advance(RETAIN - Duration::from_secs(1)).await;
    assert_eq!(sets(&registry), 2);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(sets(&registry), 1);
    held.increment(1);
    assert_eq!(counters(&registry)[0].1, 1);
}

#[tokio::test(start_paused = true)]
async fn a_gauge_goes_with_its_last_handle() {
    let registry = registry(10);
    let one = registry.gauge(&OPEN, &target(1));
    let other = registry.gauge(&OPEN, &target(1));
    drop(one);
    assert_eq!(sets(&registry), 1);
    drop(other);
    assert_eq!(sets(&registry), 0);
}

#[tokio::test(start_paused = true)]
async fn histograms_are_shared_and_retained() {
    let registry = registry(10);
    registry.histogram(&TIME, &target(1)).record(0.5);
    registry.histogram(&TIME, &target(1)).record(0.5);
    let (families, _) = registry.snapshot(Instant::now());
    let [(_, sets)] = families.as_slice() else {
        panic!("{families:?}");
    };
    let (_, Cell::Histogram(cell)) = &sets[0] else {
        panic!("{sets:?}");
    };
    assert_eq!(cell.cumulative().last(), Some((f64::INFINITY, 2)));
}

#[tokio::test(start_paused = true)]
async fn past_the_cap_sums_stay_right() {
    let registry = registry(10);
    let held: Vec<_> = (0..25)
        .map(|n| registry.counter(&REQUESTS, &target(n)))
        .collect();
    held.iter().for_each(|counter| counter.increment(1));
    let counters = counters(&registry);
    assert_eq!(counters.len(), 11);
    assert_eq!(counters.iter().map(|(_, value)| value).sum::<u64>(), 25);
    let overflow = (
        r#"[("direction", "outbound"), ("overflow", "true")]"#.into(),
        15,
    );
    assert!(counters.contains(&overflow), "{counters:?}");
    let (_, overflowed) = registry.snapshot(Instant::now());
    assert_eq!(overflowed, [("requests_total", 15)]);
}

#[tokio::test(start_paused = true)]
async fn at_the_cap_sets_without_an_owner_yield() {
    let registry = registry(10);
    for n in 0..1000 {
        tokio::time::advance(Duration::from_millis(200)).await;
        registry.counter(&REQUESTS, &target(n)).increment(1);
    }
    assert!(sets(&registry) <= 11);
    tokio::time::advance(Duration::from_secs(1)).await;
    let held = registry.counter(&REQUESTS, &target(5000));
    held.increment(7);
    let own = (
        r#"[("direction", "outbound"), ("target_port", "5000")]"#.into(),
        7,
    );
    assert!(counters(&registry).contains(&own));
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_though_nobody_scrapes() {
    let registry = registry(100_000);
    for n in 0..10_000 {
        tokio::time::advance(Duration::from_secs(60)).await;
        registry.counter(&REQUESTS, &target(n)).increment(1);
    }
    let families = registry.families.lock();
    let kept = families[REQUESTS.name].sets.len();
    assert!(kept <= 2 * FIRST_SWEEP, "{kept} sets kept");
}
