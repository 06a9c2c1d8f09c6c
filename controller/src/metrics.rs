//! Every metric of the controller: names, help, and the calls that record.

use crate::model::object::Kind;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

const STREAMS: &str = "mesh_controller_streams";
const REQUESTS: &str = "mesh_controller_requests_total";
const OVERFLOWS: &str = "mesh_controller_stream_overflows_total";
const WATCHES: &str = "mesh_controller_watches";
const OBJECTS: &str = "mesh_controller_objects";
const SOURCE_ERRORS: &str = "mesh_controller_source_errors_total";
const BROKEN_FILES: &str = "mesh_controller_source_broken_files";
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
    describe_counter!(
        OVERFLOWS,
        Unit::Count,
        "Streams ended because the client stopped reading, by rpc"
    );
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

    pub(crate) fn overflowed(&self) {
        counter!(OVERFLOWS, "rpc" => self.0.name()).increment(1);
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

/// The API server got no answer.
pub(crate) fn injection_failed() {
    counter!(FAILED_INJECTIONS).increment(1);
}
