//! Every metric of the controller: names, help, and the calls that record.

use crate::model::object::Kind;
use k8s_openapi::jiff::Timestamp;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

const STREAMS: &str = "mesh_controller_streams";
const REQUESTS: &str = "mesh_controller_requests_total";
const WATCHES: &str = "mesh_controller_watches";
const OBJECTS: &str = "mesh_controller_objects";
const SOURCE_ERRORS: &str = "mesh_controller_source_errors_total";
const BROKEN_FILES: &str = "mesh_controller_source_broken_files";
const STALE: &str = "mesh_controller_source_stale_since_timestamp_seconds";
const LISTS: &str = "mesh_controller_source_lists_total";
const FAULTY: &str = "mesh_controller_source_faulty_objects";
const TRUST_BUNDLES: &str = "mesh_controller_trust_bundles";
const WEBHOOK_ROOTS: &str = "mesh_controller_webhook_roots";
const EVENTS: &str = "mesh_controller_events_total";
const SOURCE_UPDATES: &str = "mesh_controller_source_updates_total";
const INJECTIONS: &str = "proxy_inject_admission_responses_total";
const FAILED_INJECTIONS: &str = "proxy_inject_admission_errors_total";

/// Installs the process-wide Prometheus recorder, once.
///
/// `None` when the process has a recorder of another kind already: its owner
/// then has to show the metrics.
#[must_use]
pub fn install_metrics() -> Option<PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || PrometheusBuilder::new().install_recorder().ok();
    HANDLE.get_or_init(install).clone()
}

/// Registers units and help texts with the recorder.
pub(crate) fn describe() {
    describe_gauge!(STREAMS, Unit::Count, "Update streams open, by rpc");
    describe_counter!(REQUESTS, Unit::Count, "Requests, by rpc and gRPC code");
    describe_gauge!(WATCHES, Unit::Count, "Distinct questions being watched");
    describe_gauge!(OBJECTS, Unit::Count, "Objects in the model, by kind");
    describe_counter!(
        SOURCE_ERRORS,
        Unit::Count,
        "Changes of a source that could not be used, by source"
    );
    describe_gauge!(
        BROKEN_FILES,
        Unit::Count,
        "Files whose present content can't be used; their last good state is"
    );
    describe_gauge!(
        STALE,
        Unit::Seconds,
        "Since when a kind has not been watched (since the UNIX epoch); 0 while it is"
    );
    describe_counter!(LISTS, Unit::Count, "Complete lists of objects, by kind");
    describe_gauge!(
        FAULTY,
        Unit::Count,
        "Objects of the API server with something that can't be used, by kind"
    );
    describe_gauge!(
        TRUST_BUNDLES,
        Unit::Count,
        "Meshed namespaces by the state of their trust bundle: current or outdated"
    );
    describe_counter!(
        EVENTS,
        Unit::Count,
        "Kubernetes Events by result: written, dropped or failed"
    );
    describe_counter!(SOURCE_UPDATES, Unit::Count, "Changes of objects taken in");
}

/// The calls that we serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rpc {
    Get,
    GetProfile,
    GetOutbound,
    WatchOutbound,
    GetPort,
    WatchPort,
    WatchBalancing,
}

impl Rpc {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "Destination.Get",
            Self::GetProfile => "Destination.GetProfile",
            Self::GetOutbound => "OutboundPolicies.Get",
            Self::WatchOutbound => "OutboundPolicies.Watch",
            Self::GetPort => "InboundServerPolicies.GetPort",
            Self::WatchPort => "InboundServerPolicies.WatchPort",
            Self::WatchBalancing => "Balancing.Watch",
        }
    }

    /// Counts a request by its outcome, and hands the outcome on.
    pub(crate) fn answered<T>(self, result: Result<T, tonic::Status>) -> Result<T, tonic::Status> {
        let code = result
            .as_ref()
            .err()
            .map_or(tonic::Code::Ok, tonic::Status::code);
        counter!(REQUESTS, "rpc" => self.name(), "code" => format!("{code:?}")).increment(1);
        result
    }
}

/// Counts a stream while it is open.
#[derive(Debug)]
pub(crate) struct OpenStream(Rpc);

impl OpenStream {
    pub(crate) fn new(rpc: Rpc) -> Self {
        gauge!(STREAMS, "rpc" => rpc.name()).increment(1);
        Self(rpc)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        gauge!(STREAMS, "rpc" => self.0.name()).decrement(1);
    }
}

/// How many objects there are.
pub(crate) fn objects(counts: [(Kind, usize); 5]) {
    for (kind, count) in counts {
        gauge!(OBJECTS, "kind" => format!("{kind:?}")).set(count as f64);
    }
}

/// How many questions are being watched.
pub(crate) fn watched(questions: usize) {
    gauge!(WATCHES).set(questions as f64);
}

/// A source could not use something.
pub(crate) fn source_error(source: &'static str) {
    counter!(SOURCE_ERRORS, "source" => source).increment(1);
}

/// How many files can't be used at present.
pub(crate) fn broken_files(files: usize) {
    gauge!(BROKEN_FILES).set(files as f64);
}

/// A kind has not been watched since then, or is.
pub(crate) fn stale(kind: Kind, since: Option<Timestamp>) {
    let since = since.map_or(0.0, |since| since.as_second() as f64);
    gauge!(STALE, "kind" => format!("{kind:?}")).set(since);
}

/// All objects of a kind were read.
pub(crate) fn listed(kind: Kind) {
    counter!(LISTS, "kind" => format!("{kind:?}")).increment(1);
}

/// How many objects of a kind have something that can't be used.
pub(crate) fn faulty_objects(kind: Kind, objects: usize) {
    gauge!(FAULTY, "kind" => format!("{kind:?}")).set(objects as f64);
}

/// In how many namespaces the trust bundle is what it should be, and in how many not.
pub(crate) fn trust_bundles(current: usize, outdated: usize) {
    gauge!(TRUST_BUNDLES, "state" => "current").set(current as f64);
    gauge!(TRUST_BUNDLES, "state" => "outdated").set(outdated as f64);
}

/// What became of an event: written, dropped or failed.
pub(crate) fn event(result: &'static str) {
    counter!(EVENTS, "result" => result).increment(1);
}

/// Changes were taken in.
pub(crate) fn source_updates(changes: usize) {
    counter!(SOURCE_UPDATES).increment(changes as u64);
}

/// Registers what the injection webhook counts.
pub(crate) fn describe_injector() {
    describe_counter!(
        INJECTIONS,
        Unit::Count,
        "Answers about injections, by namespace, owner_kind, skip and skip_reason"
    );
    describe_counter!(
        FAILED_INJECTIONS,
        Unit::Count,
        "Questions about injections that could not be answered"
    );
    describe_gauge!(
        WEBHOOK_ROOTS,
        Unit::Count,
        "Roots in the webhook configuration, of all replicas"
    );
}

/// An injection was decided; `decision` is `injected` or why not.
pub(crate) fn injection(namespace: &str, owner: &str, decision: &'static str) {
    let skipped = decision != "injected";
    counter!(INJECTIONS,
        "namespace" => namespace.to_owned(),
        "owner_kind" => owner.to_owned(),
        "skip" => if skipped { "true" } else { "false" },
        "skip_reason" => if skipped { decision } else { "" },
    )
    .increment(1);
}

/// How many roots the webhook configuration has, or is to have.
pub(crate) fn webhook_roots(roots: usize) {
    gauge!(WEBHOOK_ROOTS).set(roots as f64);
}

/// The API server got no answer.
pub(crate) fn injection_failed() {
    counter!(FAILED_INJECTIONS).increment(1);
}
