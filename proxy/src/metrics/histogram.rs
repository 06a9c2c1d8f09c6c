//! A histogram with fixed buckets.
//!
//! The exporter crate of the `metrics` facade queues every sample until someone
//! scrapes, which grows without bound while nobody does. Fixed atomic buckets
//! cost one search and two additions per sample and never grow.

use super::family::Bounds;
use metrics::{GaugeFn, HistogramFn, atomics::AtomicU64};
use std::sync::atomic::Ordering;

/// Counts per bucket and the sum of all samples.
#[derive(Debug)]
pub(super) struct Buckets {
    bounds: &'static Bounds,
    /// One more than there are bounds: the last has no upper bound.
    counts: Box<[AtomicU64]>,
    /// The bits of an `f64`.
    sum: AtomicU64,
}

impl Buckets {
    pub(super) fn new(bounds: &'static Bounds) -> Self {
        let counts = (0..=bounds.values.len()).map(|_| AtomicU64::new(0));
        Self {
            bounds,
            counts: counts.collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Upper bounds with the number of samples at or below each.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let counts = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let counts = counts.scan(0, |total, count| {
            *total += count;
            Some(*total)
        });
        let bounds = self.bounds.values.iter().copied();
        bounds.chain([f64::INFINITY]).zip(counts)
    }

    pub(super) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Ordering::Relaxed))
    }

    pub(super) fn bounds(&self) -> &'static Bounds {
        self.bounds
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let at = self.bounds.values.partition_point(|bound| *bound < value);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        GaugeFn::increment(&self.sum, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::family::DETECTION;

    #[test]
    fn a_sample_counts_in_its_bucket_and_all_above() {
        let buckets = Buckets::new(&DETECTION);
        for value in [0.0, 0.001, 0.0011, 0.1, 5.0] {
            buckets.record(value);
        }
        let cumulative: Vec<_> = buckets.cumulative().collect();
        assert_eq!(cumulative, [(0.001, 2), (0.1, 4), (f64::INFINITY, 5)]);
        assert!((buckets.sum() - 5.1021).abs() < 1e-9);
    }
}
