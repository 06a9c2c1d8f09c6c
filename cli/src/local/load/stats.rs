//! What the load has seen.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::client::Reply;

/// Longest latency that is told apart from longer ones, in microseconds.
const MAX_LATENCY_US: u64 = 60_000_000;

/// Requests of one replica, or of none when no replica answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Answered or not.
    pub requests: u64,
    /// Not answered, or answered with an error.
    pub failures: u64,
}

/// Counts and latencies of one run.
#[derive(Clone, Debug)]
pub struct Stats {
    total: Count,
    replicas: BTreeMap<String, Count>,
    causes: BTreeMap<String, u64>,
    /// In microseconds, of all requests: a caller waits for a failure as well.
    latency: Histogram<u64>,
}

impl Default for Stats {
    fn default() -> Self {
        let latency = Histogram::new_with_max(MAX_LATENCY_US, 3).expect("the bounds are valid");
        Self {
            total: Count::default(),
            replicas: BTreeMap::new(),
            causes: BTreeMap::new(),
            latency,
        }
    }
}

impl Stats {
    pub(super) fn record(&mut self, latency: Duration, reply: &Reply) {
        let failures = u64::from(reply.failure.is_some());
        let add = |count: &mut Count| {
            count.requests += 1;
            count.failures += failures;
        };
        add(&mut self.total);
        if let Some(replica) = &reply.replica {
            add(self.replicas.entry(replica.clone()).or_default());
        }
        if let Some(cause) = &reply.failure {
            *self.causes.entry(cause.clone()).or_default() += 1;
        }
        self.latency
            .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// All requests.
    pub fn total(&self) -> Count {
        self.total
    }

    /// Those that a replica answered, by its name.
    pub fn replicas(&self) -> &BTreeMap<String, Count> {
        &self.replicas
    }

    /// Why requests failed and how many for that reason.
    pub fn causes(&self) -> &BTreeMap<String, u64> {
        &self.causes
    }

    /// Fraction of requests that succeeded; 1 when there were none.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
    pub fn success_rate(&self) -> f64 {
        if self.total.requests == 0 {
            return 1.0;
        }
        1.0 - self.total.failures as f64 / self.total.requests as f64
    }

    /// The longest latency.
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.latency.max())
    }

    /// The latency that this fraction of requests did not exceed.
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.latency.value_at_quantile(quantile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_replica_and_cause() {
        let mut stats = Stats::default();
        let web_0 = || Some("web-0".to_owned());
        stats.record(Duration::from_millis(2), &Reply::ok(web_0()));
        stats.record(
            Duration::from_millis(4),
            &Reply::failed(web_0(), "HTTP 503"),
        );
        stats.record(Duration::from_millis(9), &Reply::failed(None, "connect"));
        stats.record(
            Duration::from_millis(1),
            &Reply::ok(Some("web-1".to_owned())),
        );
        assert_eq!(
            stats.total(),
            Count {
                requests: 4,
                failures: 2
            }
        );
        assert_eq!(
            stats.replicas()["web-0"],
            Count {
                requests: 2,
                failures: 1
            }
        );
        assert_eq!(stats.causes()["HTTP 503"], 1);
        assert!((stats.success_rate() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_of_all_requests() {
        let mut stats = Stats::default();
        for millis in 1..=1000 {
            stats.record(Duration::from_millis(millis), &Reply::ok(None));
        }
        let millis = |quantile| stats.quantile(quantile).as_millis();
        assert!((499..=501).contains(&millis(0.5)), "{}", millis(0.5));
        assert!((989..=991).contains(&millis(0.99)), "{}", millis(0.99));
    }
}
