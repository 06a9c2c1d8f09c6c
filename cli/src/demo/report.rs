//! What the demo found: one object for programs, a table for people.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::local::{Policy, Stats};

mod text;

pub(crate) use text::{Setting, render};

/// The result, in the form that `--json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    /// Requests sent under all policies.
    pub(crate) requests: u64,
    /// How many of them failed.
    pub(crate) failures: u64,
    pub(crate) policies: Vec<PolicyReport>,
    pub(crate) identities: Identities,
    /// Bytes between the client's proxy and the replicas' proxies, both ways, counted once (at the client's proxy).
    pub(crate) mtls_bytes: u64,
    pub(crate) proxies: Vec<ProxyMemory>,
}

/// What the client saw under one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PolicyReport {
    pub(crate) name: &'static str,
    /// Fraction, 0 to 1.
    pub(crate) success_rate: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    /// Fraction of the answered requests that each replica answered.
    pub(crate) share: BTreeMap<String, f64>,
    #[serde(skip)]
    pub(crate) causes: BTreeMap<String, u64>,
}

/// The names in the certificates, as the proxies verified them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Identities {
    pub(crate) client: String,
    pub(crate) server: String,
}

/// Resident memory of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ProxyMemory {
    pub(crate) name: String,
    pub(crate) rss_bytes: u64,
}

impl PolicyReport {
    /// The figures of one run; `replicas` are named even when they got nothing.
    pub(crate) fn new(
        policy: Policy,
        stats: &Stats,
        replicas: impl Iterator<Item = String>,
    ) -> Self {
        let answered: u64 = stats.replicas().values().map(|count| count.requests).sum();
        let share = |name: &str| {
            fraction(
                stats.replicas().get(name).map_or(0, |count| count.requests),
                answered,
            )
        };
        let ms = |quantile| stats.quantile(quantile).as_secs_f64() * 1e3;
        Self {
            name: policy.name(),
            success_rate: stats.success_rate(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            share: replicas.map(|name| (name.clone(), share(&name))).collect(),
            causes: stats.causes().clone(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests;
