//! DNS and the proxy's certificate.

use super::{Metrics, labels::Labels, names};
use ::metrics::{Counter, Gauge};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Which records were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// SRV.
    Srv,
    /// A and AAAA.
    Address,
}

/// DNS lookups of one client of the control plane.
#[derive(Debug)]
pub struct DnsMetrics {
    srv: [Counter; 2],
    address: [Counter; 2],
}

/// Whether one client of the control plane gets answers.
#[derive(Debug)]
pub struct AnswerMetrics {
    failing: Gauge,
    failure: Gauge,
    /// What `failing` says.
    is_failing: AtomicBool,
}

/// This proxy's certificate.
#[derive(Debug)]
pub struct CertMetrics {
    expiration: Gauge,
    refreshed: Gauge,
    ok: Counter,
    error: Counter,
}

impl Metrics {
    /// Lookups of `client` (`destination`, `identity` or `policy`).
    pub fn dns(&self, client: &'static str) -> Arc<DnsMetrics> {
        let counters = |record: &'static str| {
            ["ok", "not_found"].map(|result| {
                let labels = Labels::new()
                    .with("client", client)
                    .with("record_type", record)
                    .with("result", result);
                self.registry.counter(&names::DNS, &labels)
            })
        };
        Arc::new(DnsMetrics {
            srv: counters("SRV"),
            address: counters("A/AAAA"),
        })
    }

    /// Answers to the client with these labels.
    pub fn answers(&self, labels: &Labels) -> AnswerMetrics {
        AnswerMetrics {
            failing: self.registry.gauge(&names::CONTROL_FAILING, labels),
            failure: self.registry.gauge(&names::CONTROL_FAILURE, labels),
            is_failing: AtomicBool::new(false),
        }
    }

    /// The anchors in force, for as long as this is held.
    pub fn trust_anchors(&self, fingerprint: String) -> Gauge {
        let labels = Labels::new().with("sha256", fingerprint);
        let gauge = self.registry.gauge(&names::TRUST_ANCHORS, &labels);
        gauge.set(1.0);
        gauge
    }

    /// The proxy's certificate.
    pub fn certificate(&self) -> Arc<CertMetrics> {
        let none = Labels::new();
        let result = |result: &'static str| {
            let labels = Labels::new().with("result", result);
            self.registry.counter(&names::CERT_REFRESHES, &labels)
        };
        Arc::new(CertMetrics {
            expiration: self.registry.gauge(&names::CERT_EXPIRATION, &none),
            refreshed: self.registry.gauge(&names::CERT_REFRESH, &none),
            ok: result("ok"),
            error: result("error"),
        })
    }
}

impl DnsMetrics {
    /// Counts a lookup that found records, or did not.
    pub fn resolved(&self, record: Record, found: bool) {
        let counters = match record {
            Record::Srv => &self.srv,
            Record::Address => &self.address,
        };
        counters[usize::from(!found)].increment(1);
    }
}

impl AnswerMetrics {
    /// There was an answer.
    pub fn answered(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            self.failing.set(0.0);
        }
    }

    /// At `now` there was none, or it was that the service can't answer.
    pub fn failed(&self, now: SystemTime) {
        self.failure.set(seconds(now));
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            self.failing.set(seconds(now));
        }
    }
}

impl CertMetrics {
    /// A certificate was received at `now` and is good until `expiry`.
    pub fn refreshed(&self, now: SystemTime, expiry: SystemTime) {
        self.ok.increment(1);
        self.refreshed.set(seconds(now));
        self.expiration.set(seconds(expiry));
    }

    /// No certificate was received; the old one stays.
    pub fn failed(&self) {
        self.error.increment(1);
    }
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}
