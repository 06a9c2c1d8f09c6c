//! What the processes of the control plane say of themselves.

use k8s_openapi::api::core::v1::Pod;

use super::super::snapshot::Probe;
use super::super::{Category, Check, Finding, Problem, Snapshot, nothing_wrong};
use super::existence::own_pods;
use super::expected;
use super::pods::{is_running, named};
use crate::cluster::PodName;

/// A certificate allows for 20 s; whole seconds and a slow answer may add some.
pub(super) const CLOCKS: i64 = 10;

pub(super) const CATEGORY: Category = Category {
    name: "control-plane",
    checks: &[
        Check::new(
            "control-plane-identity",
            "the identity service is healthy",
            |snapshot| healthy(snapshot, "identity"),
        )
        .retried(),
        Check::new(
            "control-plane-destination",
            "the controller is healthy",
            |snapshot| healthy(snapshot, "destination"),
        )
        .retried(),
        Check::new(
            "control-plane-injector",
            "the injector is healthy",
            |snapshot| healthy(snapshot, "injector"),
        )
        .retried(),
        Check::new(
            "control-plane-clock",
            "clocks of the control plane and of this machine agree",
            clocks,
        )
        .warns(),
    ],
};

/// Running pods of a component, with what they said.
fn answers<'a>(
    snapshot: &'a Snapshot,
    wanted: Option<&str>,
) -> Result<Vec<(&'a Pod, &'a Probe)>, Problem> {
    let pods = own_pods(snapshot)?.into_iter();
    let of_component =
        pods.filter(|pod| wanted.is_none_or(|wanted| expected::component(pod) == Some(wanted)));
    let running = of_component.filter(|pod| is_running(pod));
    let probes = &snapshot.probes.control_plane;
    let answers = running.filter_map(|pod| Some((pod, probes.get(&PodName::of(pod))?)));
    let answers: Vec<_> = answers.collect();
    match answers.is_empty() {
        true => Err(Problem::skipped("none runs, see mesh-pods-ready")),
        false => Ok(answers),
    }
}

fn healthy(snapshot: &Snapshot, component: &str) -> Finding {
    let answers = answers(snapshot, Some(component))?.into_iter();
    nothing_wrong(answers.filter_map(|(pod, probe)| {
        let why = match &probe.ready {
            Err(why) => why.clone(),
            Ok(answer) => complaints(answer.ok, &answer.text)?,
        };
        Some(format!("{}: {why}", named(pod)))
    }))
}

/// What `/ready` has to say beside that all is well.
fn complaints(ok: bool, text: &str) -> Option<String> {
    let lines = text.trim().lines();
    let lines: Vec<_> = lines.skip(usize::from(ok)).collect();
    (!ok || !lines.is_empty()).then(|| lines.join("\n"))
}

fn clocks(snapshot: &Snapshot) -> Finding {
    let answers = answers(snapshot, None)?.into_iter();
    nothing_wrong(answers.filter_map(|(pod, probe)| skew(pod, probe)))
}

/// What is wrong with a pod's clock.
pub(super) fn skew(pod: &Pod, probe: &Probe) -> Option<String> {
    let ahead = probe.ready.as_ref().ok()?.ahead?;
    let direction = if ahead > 0 { "ahead" } else { "behind" };
    (ahead.abs() > CLOCKS).then(|| {
        let seconds = ahead.abs();
        format!("{}: its clock is {seconds} s {direction}", named(pod))
    })
}

#[cfg(test)]
pub(super) mod tests;
