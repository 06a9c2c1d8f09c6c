//! Metrics of a process, in the Prometheus text format.

use crate::prometheus::{Sample, sample};

/// What `/metrics` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The samples of a metric.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Sample<'a>> {
        let samples = self.0.lines().filter_map(sample);
        samples.filter(move |sample| sample.name == name)
    }

    /// The value of a metric without labels.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.all(name).next().map(|sample| sample.value)
    }
}
