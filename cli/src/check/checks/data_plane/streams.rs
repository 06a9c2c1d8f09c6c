//! Whether proxies hear from the control plane.
//!
//! A proxy that does not goes on with what it last heard, so nothing fails at once: it sends
//! requests to pods that are gone, and does not see new ones. Each of its clients tells since
//! when it gets no answers, and when a request last failed. The second is needed too: a
//! client that failed once and had nothing to ask for since is not cut off.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::super::super::snapshot::Metrics;
use super::super::super::{Finding, Snapshot, nothing_wrong};
use super::super::pods::named;
use super::measured;

/// In seconds. What fails is asked for again within eleven (`CONTROL_EXP_BACKOFF_MAX` and
/// its jitter), so a restart of the controller is over by then.
const AGAIN: f64 = 15.0;

pub(super) fn alive(snapshot: &Snapshot) -> Finding {
    let measured = measured(snapshot)?.into_iter();
    nothing_wrong(measured.filter_map(|(pod, metrics)| {
        let why = stalled(metrics, snapshot.now)?;
        Some(format!("{}: {why}", named(pod)))
    }))
}

fn stalled(metrics: &Metrics, now: Timestamp) -> Option<String> {
    let now = now.as_duration().as_secs_f64();
    let failures = times(metrics, "control_failure_timestamp_seconds");
    let silent = times(metrics, "control_failing_since_timestamp_seconds");
    let silent = silent.into_iter().filter(|(addr, since)| {
        let last = failures.get(addr).copied().unwrap_or(0.0);
        *since > 0.0 && now - since > AGAIN && now - last < AGAIN
    });
    let silent: Vec<_> = silent
        .map(|(addr, since)| format!("{addr} for {} s", (now - since).floor()))
        .collect();
    (!silent.is_empty()).then(|| format!("no answers from {}", silent.join(", ")))
}

/// The values of a metric, by client.
fn times<'a>(metrics: &'a Metrics, name: &'a str) -> BTreeMap<&'a str, f64> {
    let samples = metrics.all(name);
    let named = samples.filter_map(|sample| Some((*sample.labels.get("addr")?, sample.value)));
    named.collect()
}
