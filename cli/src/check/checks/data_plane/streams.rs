//! Whether proxies hear from the controller.
//!
//! A proxy that does not goes on with what it last heard, so nothing fails at once: it sends
//! requests to pods that are gone, and does not see new ones. Each proxy tells since when one
//! of its watches has had no stream.

use k8s_openapi::jiff::Timestamp;

use super::super::super::snapshot::Metrics;
use super::super::super::{Finding, Snapshot, nothing_wrong};
use super::super::pods::named;
use super::measured;

/// A watch is asked for again within ten seconds.
const PATIENCE: f64 = 15.0;

pub(super) fn alive(snapshot: &Snapshot) -> Finding {
    let measured = measured(snapshot)?.into_iter();
    nothing_wrong(measured.filter_map(|(pod, metrics)| {
        let why = stalled(metrics, snapshot.now)?;
        Some(format!("{}: {why}", named(pod)))
    }))
}

fn stalled(metrics: &Metrics, now: Timestamp) -> Option<String> {
    let now = now.as_duration().as_secs_f64();
    let stalled = metrics.all("control_watches_stale_since_timestamp_seconds");
    let stalled = stalled.filter(|sample| sample.value > 0.0 && now - sample.value > PATIENCE);
    let stalled: Vec<_> = stalled
        .map(|sample| {
            let client = sample.labels.get("client").copied().unwrap_or("controller");
            format!("{client} since {} s", (now - sample.value).floor())
        })
        .collect();
    (!stalled.is_empty()).then(|| format!("watches without a stream: {}", stalled.join(", ")))
}
