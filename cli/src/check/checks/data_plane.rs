//! The proxies.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use mesh_controller::injector::{INJECT, TRUST_BUNDLE};
use mesh_identity::TrustBundle;

use super::super::snapshot::{Metrics, Probe};
use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong, seen};
use super::control_plane::skew;
use super::expected;
use super::identity::{bundle_of, trust_or_skip};
use super::pods::{
    annotation, is_alive, is_running, named, namespace_of, proxy_of, proxy_status, why_not_ready,
};
use crate::cluster::PodName;

mod anchors;
mod streams;

/// A certificate is renewed when 70 % of its life are over; at 90 % that has failed often.
const RENEWED: f64 = 0.9;

pub(super) const CATEGORY: Category = Category {
    name: "data-plane",
    checks: &[
        Check::new("proxy-exists", "there are proxies", exists),
        Check::new("proxy-ready", "proxies are ready", ready).retried(),
        Check::new(
            "proxy-answers",
            "proxies answer on their admin ports",
            answer,
        )
        .warns(),
        Check::new(
            "proxy-version",
            "proxies have the version that would be injected now",
            version,
        )
        .warns(),
        Check::new(
            "proxy-certificate",
            "proxies renew their certificates in time",
            certificates,
        ),
        Check::new(
            "proxy-clock",
            "clocks of proxies and of this machine agree",
            clocks,
        )
        .warns(),
        Check::new(
            "proxy-trust-bundles",
            "meshed namespaces have the trust anchors",
            trust_bundles,
        )
        .retried(),
        Check::new(
            "proxy-trust-anchors",
            "proxies use the present trust anchors",
            anchors::current,
        )
        .retried()
        .warns(),
        Check::new(
            "proxy-streams",
            "proxies hear from the controller",
            streams::alive,
        )
        .warns(),
    ],
};

/// Pods with a proxy that the run is about.
pub(super) fn meshed(snapshot: &Snapshot) -> Result<Vec<&Pod>, Problem> {
    let all = seen(&snapshot.objects.pods)?.iter();
    let covered = all.filter(|pod| snapshot.scope.covers(namespace_of(&pod.metadata)));
    let alive = covered.filter(|pod| is_alive(pod));
    Ok(alive.filter(|pod| proxy_of(pod).is_some()).collect())
}

/// Those that run, with what their proxies said.
fn probed(snapshot: &Snapshot) -> Result<Vec<(&Pod, &Probe)>, Problem> {
    let running = meshed(snapshot)?.into_iter().filter(|pod| is_running(pod));
    let probes = &snapshot.probes.proxies;
    let probed = running.filter_map(|pod| Some((pod, probes.get(&PodName::of(pod))?)));
    let probed: Vec<_> = probed.collect();
    match probed.is_empty() {
        true => Err(Problem::skipped("no proxy runs")),
        false => Ok(probed),
    }
}

/// Those that told their metrics.
fn measured(snapshot: &Snapshot) -> Result<Vec<(&Pod, &Metrics)>, Problem> {
    let probed = probed(snapshot)?.into_iter();
    let measured = probed.filter_map(|(pod, probe)| Some((pod, probe.metrics.as_ref().ok()?)));
    Ok(measured.collect())
}

fn exists(snapshot: &Snapshot) -> Finding {
    let place = match &snapshot.scope.namespace {
        Some(namespace) => format!("namespace {namespace}"),
        None => "any namespace".to_owned(),
    };
    match meshed(snapshot)?.is_empty() {
        true => Err(Problem::one(format!(
            "no pod of {place} has a proxy; annotate a namespace ({INJECT}=enabled) and roll its workloads"
        ))),
        false => Ok(()),
    }
}

fn ready(snapshot: &Snapshot) -> Finding {
    let meshed = meshed(snapshot)?.into_iter();
    let is_ready = |pod: &Pod| proxy_status(pod).is_some_and(|status| status.ready);
    let waiting = meshed.filter(|pod| !is_ready(pod));
    nothing_wrong(waiting.map(|pod| format!("{}: {}", named(pod), why_not_ready(pod))))
}

fn answer(snapshot: &Snapshot) -> Finding {
    let probed = probed(snapshot)?.into_iter();
    nothing_wrong(probed.filter_map(|(pod, probe)| {
        let why = match (&probe.ready, &probe.metrics) {
            (Err(why), _) | (_, Err(why)) => why.clone(),
            (Ok(answer), _) if !answer.ok => answer.text.trim().to_owned(),
            _ => return None,
        };
        Some(format!("{}: {why}", named(pod)))
    }))
}

fn version(snapshot: &Snapshot) -> Finding {
    let values = expected::values_or_skip(snapshot)?;
    let installed = expected::installed_version(snapshot);
    let installed = installed.unwrap_or_else(|| snapshot.scope.version.clone());
    let defaults = values.all_proxy_defaults(&installed);
    let wanted = defaults.get("proxy-version").map_or("", String::as_str);
    let others = meshed(snapshot)?.into_iter().filter_map(|pod| {
        // Who asked for another one has it.
        let asked_for = annotation(&pod.metadata, "config.mesh.dev/proxy-version");
        let found = annotation(&pod.metadata, "mesh.dev/proxy-version").unwrap_or("unknown");
        let other = found != wanted && asked_for != Some(found);
        other.then(|| format!("{}: it is {found}, not {wanted}", named(pod)))
    });
    nothing_wrong(others)
}

fn certificates(snapshot: &Snapshot) -> Finding {
    let measured = measured(snapshot)?.into_iter();
    nothing_wrong(measured.filter_map(|(pod, metrics)| {
        let why = overdue(metrics, snapshot.now)?;
        Some(format!("{}: {why}", named(pod)))
    }))
}

/// What is wrong with a certificate, by the proxy's metrics.
fn overdue(metrics: &Metrics, now: Timestamp) -> Option<String> {
    let end = metrics.value("control_identity_cert_expiration_timestamp_seconds")?;
    let start = metrics.value("control_identity_cert_refresh_timestamp_seconds")?;
    // Seconds fit a float for a long time to come.
    let now = now.as_duration().as_secs_f64();
    if end <= 0.0 {
        return Some("it has no certificate yet".to_owned());
    }
    let failures = metrics.all("control_identity_cert_refreshes_total");
    let mut failures = failures.filter(|sample| sample.labels.get("result") == Some(&"error"));
    let failures = failures.next().map_or(0.0, |sample| sample.value);
    let (left, spent) = (end - now, (now - start) / (end - start));
    match left > 0.0 {
        true if spent < RENEWED => None,
        true => Some(format!(
            "its certificate ends in {} min and is not renewed; {failures} attempts have failed",
            (left / 60.0).floor()
        )),
        false => Some(format!(
            "its certificate has expired {} min ago; {failures} renewals have failed",
            (-left / 60.0).floor()
        )),
    }
}

fn clocks(snapshot: &Snapshot) -> Finding {
    let probed = probed(snapshot)?.into_iter();
    nothing_wrong(probed.filter_map(|(pod, probe)| skew(pod, probe)))
}

/// Namespaces that ask for proxies, or have some.
pub(super) fn meshed_namespaces(snapshot: &Snapshot) -> Result<BTreeSet<String>, Problem> {
    let with_pods = meshed(snapshot)?.into_iter();
    let with_pods = with_pods.map(|pod| namespace_of(&pod.metadata).to_owned());
    let asking = seen(&snapshot.objects.namespaces)?
        .iter()
        .filter(|namespace| asks(namespace));
    let asking = asking.map(|namespace| namespace.name_any());
    let mut all: BTreeSet<_> = with_pods.chain(asking).collect();
    all.retain(|name| snapshot.scope.covers(name) && *name != snapshot.scope.mesh);
    Ok(all)
}

/// Whether a namespace asks for proxies, and is not about to go.
pub(super) fn asks(namespace: &Namespace) -> bool {
    let asked = annotation(&namespace.metadata, INJECT).map(str::trim);
    matches!(asked, Some("enabled" | "ingress")) && namespace.metadata.deletion_timestamp.is_none()
}

fn trust_bundles(snapshot: &Snapshot) -> Finding {
    let wanted = trust_or_skip(snapshot)?.to_pem();
    let bundles = seen(&snapshot.objects.bundles)?;
    let namespaces = meshed_namespaces(snapshot)?.into_iter();
    nothing_wrong(namespaces.filter_map(|namespace| {
        let Some(text) = bundle_of(bundles, &namespace) else {
            return Some(format!(
                "namespace {namespace} has no ConfigMap {TRUST_BUNDLE}: its pods can't start"
            ));
        };
        let same = TrustBundle::from_pem(text).is_ok_and(|found| found.to_pem() == wanted);
        (!same).then(|| {
            format!("ConfigMap {namespace}/{TRUST_BUNDLE} has other anchors than the control plane")
        })
    }))
}

#[cfg(test)]
pub(super) mod tests;
