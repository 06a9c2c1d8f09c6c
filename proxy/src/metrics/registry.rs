//! All label sets, each alive as long as someone holds a handle of it.
//!
//! `metrics-exporter-prometheus` forgets label sets by idle time only: short, and
//! a handle that is held but quiet goes silent; long, and every endpoint that ever
//! was fills memory. So the facade's handle types (`Counter`, `Gauge`,
//! `Histogram`) are kept, and this registry behind them knows whether a handle is
//! held from its reference count: no guard types, nothing to do when one drops.
//!
//! A gauge goes with its last handle, since nobody is left to keep it true. A
//! counter or histogram stays for the retention time, so that a client that comes
//! and goes between two scrapes is still counted, and one that comes back goes on
//! counting. Sets are swept when they are rendered and when a family has doubled,
//! so memory is bounded even if nobody scrapes.
//!
//! Clients choose some label values (targets, identities), so the sets of a family
//! are capped. Past the cap new sets share one with `overflow="true"` that keeps
//! the labels with few values: sums over those stay right, which matters more than
//! which of five thousand targets was meant. Dropping instead would make success
//! rates lie.

use super::{
    family::{Family, Kind},
    histogram::Buckets,
    labels::Labels,
};
use crate::config::MetricsConfig;
use metrics::{Counter, Gauge, Histogram, atomics::AtomicU64};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// Labels that an overflow set keeps: each has a handful of values.
const KEPT: [&str; 5] = ["direction", "peer", "classification", "tls", "op"];

/// A family is swept first when it has so many sets.
const FIRST_SWEEP: usize = 64;

#[derive(Debug)]
pub(super) struct Registry {
    config: MetricsConfig,
    families: Mutex<BTreeMap<&'static str, Sets>>,
}

/// The label sets of one family.
#[derive(Debug)]
struct Sets {
    family: &'static Family,
    sets: HashMap<Labels, Set>,
    sweep_at: usize,
    /// When room was last searched for at the cap.
    full_swept: Option<Instant>,
    /// Requests for a set that the overflow set answered.
    overflowed: u64,
}

#[derive(Debug)]
struct Set {
    cell: Cell,
    /// Since when a sweep found it without a handle.
    idle_since: Option<Instant>,
}

/// The value of one label set.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Counter(Arc<AtomicU64>),
    /// The bits of an `f64`.
    Gauge(Arc<AtomicU64>),
    Histogram(Arc<Buckets>),
}

/// The sets of one family, by labels.
pub(super) type Snapshot = (&'static Family, Vec<(Labels, Cell)>);

impl Registry {
    pub(super) fn new(config: MetricsConfig) -> Self {
        Self {
            config,
            families: Mutex::default(),
        }
    }

    pub(super) fn config(&self) -> &MetricsConfig {
        &self.config
    }

    pub(super) fn counter(&self, family: &'static Family, labels: &Labels) -> Counter {
        match self.cell(family, labels) {
            Cell::Counter(cell) => Counter::from_arc(cell),
            Cell::Gauge(_) | Cell::Histogram(_) => Counter::noop(),
        }
    }

    pub(super) fn gauge(&self, family: &'static Family, labels: &Labels) -> Gauge {
        match self.cell(family, labels) {
            Cell::Gauge(cell) => Gauge::from_arc(cell),
            Cell::Counter(_) | Cell::Histogram(_) => Gauge::noop(),
        }
    }

    pub(super) fn histogram(&self, family: &'static Family, labels: &Labels) -> Histogram {
        match self.cell(family, labels) {
            Cell::Histogram(cell) => Histogram::from_arc(cell),
            Cell::Counter(_) | Cell::Gauge(_) => Histogram::noop(),
        }
    }

    /// Every set in force now, and the number that overflowed per family.
    pub(super) fn snapshot(&self, now: Instant) -> (Vec<Snapshot>, Vec<(&'static str, u64)>) {
        let mut families = self.families.lock();
        let mut snapshots = Vec::with_capacity(families.len());
        let mut overflowed = Vec::new();
        for sets in families.values_mut() {
            sets.sweep(now, self.config.retain_idle);
            let all = sets.sets.iter();
            let mut all: Vec<_> = all
                .map(|(labels, set)| (labels.clone(), set.cell.clone()))
                .collect();
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            snapshots.push((sets.family, all));
            if sets.overflowed > 0 {
                overflowed.push((sets.family.name, sets.overflowed));
            }
        }
        (snapshots, overflowed)
    }

    fn cell(&self, family: &'static Family, labels: &Labels) -> Cell {
        let mut families = self.families.lock();
        let sets = families.entry(family.name).or_insert_with(|| Sets {
            family,
            sets: HashMap::new(),
            sweep_at: FIRST_SWEEP,
            full_swept: None,
            overflowed: 0,
        });
        debug_assert!(std::ptr::eq(sets.family, family), "{} twice", family.name);
        sets.get(labels, &self.config)
    }
}

impl Sets {
    fn get(&mut self, labels: &Labels, config: &MetricsConfig) -> Cell {
        if let Some(set) = self.sets.get_mut(labels) {
            set.idle_since = None;
            return set.cell.clone();
        }
        self.make_room(config);
        let labels = match self.sets.len() < config.max_label_sets {
            true => labels.clone(),
            false => {
                self.overflowed += 1;
                overflow(labels)
            }
        };
        let set = self.sets.entry(labels).or_insert_with(|| Set {
            cell: Cell::new(self.family.kind),
            idle_since: None,
        });
        set.idle_since = None;
        set.cell.clone()
    }

    /// Sweeps a family that has doubled. At the cap sets without a handle yield
    /// whatever their age, but the search for them is made once a second at most.
    fn make_room(&mut self, config: &MetricsConfig) {
        let len = self.sets.len();
        let full = len >= config.max_label_sets;
        if len < self.sweep_at && !full {
            return;
        }
        let now = Instant::now();
        if full {
            let due = |last| now.saturating_duration_since(last) >= Duration::from_secs(1);
            if self.full_swept.is_none_or(due) {
                self.full_swept = Some(now);
                self.sweep(now, Duration::ZERO);
            }
        } else {
            self.sweep(now, config.retain_idle);
        }
    }

    fn sweep(&mut self, now: Instant, retain: Duration) {
        let retain = match self.family.kind {
            Kind::Gauge => Duration::ZERO,
            Kind::Counter | Kind::Histogram(_) => retain,
        };
        self.sets.retain(|_, set| set.keep(now, retain));
        self.sweep_at = (2 * self.sets.len()).max(FIRST_SWEEP);
    }
}

impl Set {
    fn keep(&mut self, now: Instant, retain: Duration) -> bool {
        if self.cell.is_held() {
            self.idle_since = None;
            return true;
        }
        let since = *self.idle_since.get_or_insert(now);
        now.saturating_duration_since(since) < retain
    }
}

impl Cell {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter(Arc::default()),
            Kind::Gauge => Self::Gauge(Arc::default()),
            Kind::Histogram(bounds) => Self::Histogram(Arc::new(Buckets::new(bounds))),
        }
    }

    /// Whether someone besides the registry, whose lock is held, has it.
    fn is_held(&self) -> bool {
        1 < match self {
            Self::Counter(cell) | Self::Gauge(cell) => Arc::strong_count(cell),
            Self::Histogram(cell) => Arc::strong_count(cell),
        }
    }

    /// The number of a counter or gauge.
    pub(super) fn load(cell: &AtomicU64) -> u64 {
        cell.load(Ordering::Relaxed)
    }
}

fn overflow(labels: &Labels) -> Labels {
    let kept = labels.iter().filter(|(name, _)| KEPT.contains(name));
    kept.fold(Labels::new(), |labels, (name, value)| {
        labels.with(name.to_owned(), value.to_owned())
    })
    .with("overflow", "true")
}

#[cfg(test)]
mod tests;
