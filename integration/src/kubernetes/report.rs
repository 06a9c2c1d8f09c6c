//! What a run tells people: why a scenario failed, how to look around, and that it could not be.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::ResourceExt as _;
use kube::api::{ListParams, LogParams};

use super::space::Space;

/// Lines of each log.
const TAIL: i64 = 40;

/// The last line of a run that could not be: a failure for CI, which must not take silence for success.
pub(super) fn not_run(lacks: &str) -> ExitCode {
    let line = format!("kubernetes: NOT RUN: {lacks}");
    if std::io::stderr().is_terminal() {
        eprintln!("\x1b[1;31m{line}\x1b[0m");
    } else {
        eprintln!("{line}");
    }
    match std::env::var_os("CI") {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::SUCCESS,
    }
}

/// A run that was wanted and went wrong before its first scenario.
pub(super) fn failed(failure: &str) -> ExitCode {
    eprintln!("kubernetes: {failure}");
    ExitCode::FAILURE
}

/// Pods, events and logs of a space.
pub(super) async fn story(space: &Space) -> String {
    let mut text = format!("--- namespace {}\n", space.name());
    let events = space.api::<Event>().list(&ListParams::default()).await;
    for event in events.iter().flatten() {
        let object = event.involved_object.name.as_deref().unwrap_or_default();
        let reason = event.reason.as_deref().unwrap_or_default();
        let message = event.message.as_deref().unwrap_or_default();
        line(
            &mut text,
            format_args!("event {object}: {reason}: {message}"),
        );
    }
    let pods = space.api::<Pod>().list(&ListParams::default()).await;
    for pod in pods.iter().flatten() {
        let statuses = statuses(pod);
        line(
            &mut text,
            format_args!("pod {}: {}", pod.name_any(), phase(pod)),
        );
        for status in statuses {
            text += &container(space, &pod.name_any(), status).await;
        }
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes it");
}

fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("unknown")
}

/// Of all containers, init containers first.
fn statuses(pod: &Pod) -> Vec<&ContainerStatus> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let both = [&status.init_container_statuses, &status.container_statuses];
    both.into_iter().flatten().flatten().collect()
}

/// The end of what a container says, and of what it said before it was restarted.
async fn container(space: &Space, pod: &str, status: &ContainerStatus) -> String {
    let name = &status.name;
    let mut text = String::new();
    let state = serde_json::to_string(&status.state).unwrap_or_default();
    line(
        &mut text,
        format_args!(
            "--- {pod}/{name}: {} restarts, {state}",
            status.restart_count
        ),
    );
    for previous in [true, false] {
        if previous && status.restart_count == 0 {
            continue;
        }
        let params = LogParams {
            container: Some(name.clone()),
            previous,
            tail_lines: Some(TAIL),
            ..LogParams::default()
        };
        let log = space.api::<Pod>().logs(pod, &params).await;
        text += &log.unwrap_or_else(|error| format!("(no log: {error})\n"));
    }
    text
}

/// What to type to get at a cluster that is kept.
pub(super) fn how_to_enter(kubeconfig: &Path, kubectl: &Path, pid: u32) {
    let (kubeconfig, kubectl) = (kubeconfig.display(), kubectl.display());
    eprintln!(
        "\nkubernetes: the cluster is left up until Ctrl-C\n  \
         export KUBECONFIG={kubeconfig}\n  \
         {kubectl} get pods --all-namespaces\n\
         its node, with logs in /run/mesh-kubernetes:\n  \
         nsenter --target $(pgrep --parent $(pgrep --parent {pid})) --net --mount --pid bash"
    );
}
