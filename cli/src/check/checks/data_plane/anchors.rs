//! Which trust anchors proxies have in force.
//!
//! A proxy follows the ConfigMap that is mounted into its pod, which the kubelet renews
//! within a minute or so, and tells their fingerprint. One that was injected by hand may have
//! its anchors in its environment, where they stay as they are.

use k8s_openapi::api::core::v1::Container;
use mesh_identity::TrustBundle;

use super::super::super::{Finding, Snapshot, nothing_wrong};
use super::super::identity::trust_or_skip;
use super::super::pods::{named, proxy_of};
use super::{measured, meshed};

/// Label of the metric.
const FINGERPRINT: &str = "sha256";
/// The proxy's setting, by its two names.
const ANCHORS: [&str; 2] = [
    "MESH_PROXY_IDENTITY_TRUST_ANCHORS",
    "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS",
];

pub(super) fn current(snapshot: &Snapshot) -> Finding {
    let wanted = trust_or_skip(snapshot)?;
    let fixed = meshed(snapshot)?.into_iter().filter_map(|pod| {
        let old = fixed(proxy_of(pod)?).is_some_and(|text| differs(text, &wanted));
        old.then(|| {
            format!(
                "{}: it was injected with other anchors, which it keeps",
                named(pod)
            )
        })
    });
    let mounted = measured(snapshot).unwrap_or_default().into_iter();
    let mounted = mounted.filter_map(|(pod, metrics)| {
        let told = metrics.all("control_identity_trust_anchors_info").next()?;
        let old = told.labels.get(FINGERPRINT) != Some(&wanted.fingerprint().as_str());
        old.then(|| format!("{}: it still uses other anchors", named(pod)))
    });
    nothing_wrong(fixed.chain(mounted))
}

/// Anchors in a proxy's environment.
fn fixed(proxy: &Container) -> Option<&str> {
    let mut all = proxy.env.iter().flatten();
    all.find(|variable| ANCHORS.contains(&variable.name.as_str()))?
        .value
        .as_deref()
}

fn differs(text: &str, wanted: &TrustBundle) -> bool {
    !TrustBundle::from_pem(text).is_ok_and(|found| found.to_pem() == wanted.to_pem())
}
