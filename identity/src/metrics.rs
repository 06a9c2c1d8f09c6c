//! Every metric of the identity service: names, texts, handles.
//!
//! `issuer_cert_ttl_seconds` is Linkerd's name. Linkerd sets it when an issuer is
//! loaded, so that it stands still between loads; here it counts down.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::issuer::Issuer;

const CERTIFICATES: &str = "identity_certificates_total";
const ISSUER_TTL: &str = "issuer_cert_ttl_seconds";
const ISSUER_EXPIRY: &str = "identity_issuer_expiration_timestamp_seconds";
const ISSUER_LOADS: &str = "identity_issuer_loads_total";

/// Installs the process-wide Prometheus recorder, once, and describes the metrics.
///
/// `None` when the process has a recorder of another kind already: its owner
/// then has to show the metrics.
pub fn install() -> Option<PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let handle = PrometheusBuilder::new().install_recorder().ok()?;
            describe();
            Some(handle)
        })
        .clone()
}

/// Tells the recorder in use what the metrics mean.
pub fn describe() {
    describe_counter!(
        CERTIFICATES,
        "Answers to Certify by result: ok or the gRPC status."
    );
    describe_gauge!(
        ISSUER_TTL,
        Unit::Seconds,
        "Time left until the issuer or its root expires."
    );
    describe_gauge!(
        ISSUER_EXPIRY,
        Unit::Seconds,
        "When the issuer or its root expires (seconds since the UNIX epoch)."
    );
    describe_counter!(
        ISSUER_LOADS,
        "New versions of the issuer's files by result: ok (in use) or error (the last good one stays)."
    );
}

/// Handles of the issuer's metrics.
pub(crate) struct IssuerMetrics {
    ttl: Gauge,
    expiry: Gauge,
    ok: Counter,
    error: Counter,
}

impl IssuerMetrics {
    pub(crate) fn new() -> Self {
        Self {
            ttl: gauge!(ISSUER_TTL),
            expiry: gauge!(ISSUER_EXPIRY),
            ok: counter!(ISSUER_LOADS, "result" => "ok"),
            error: counter!(ISSUER_LOADS, "result" => "error"),
        }
    }

    pub(crate) fn loaded(&self, issuer: &Issuer) {
        self.ok.increment(1);
        self.tick(issuer);
    }

    pub(crate) fn refused(&self) {
        self.error.increment(1);
    }

    pub(crate) fn tick(&self, issuer: &Issuer) {
        let end = issuer.not_after();
        let seconds = |d: std::time::Duration| d.as_secs_f64();
        self.expiry
            .set(end.duration_since(UNIX_EPOCH).map_or(0.0, seconds));
        let left = match end.duration_since(SystemTime::now()) {
            Ok(left) => seconds(left),
            Err(past) => -seconds(past.duration()),
        };
        self.ttl.set(left);
    }
}

/// Handles of the Certify service's metrics.
pub(crate) struct ServiceMetrics {
    results: [(Option<tonic::Code>, Counter); 6],
}

impl ServiceMetrics {
    pub(crate) fn new() -> Self {
        use tonic::Code;
        let of = |code, label: &'static str| (code, counter!(CERTIFICATES, "result" => label));
        Self {
            results: [
                of(None, "ok"),
                of(Some(Code::InvalidArgument), "invalid_argument"),
                of(Some(Code::FailedPrecondition), "failed_precondition"),
                of(Some(Code::Unavailable), "unavailable"),
                of(Some(Code::Internal), "internal"),
                of(Some(Code::Unknown), "other"),
            ],
        }
    }

    /// `None` is success.
    pub(crate) fn answered(&self, code: Option<tonic::Code>) {
        let [.., other] = &self.results;
        let (_, counter) = self
            .results
            .iter()
            .find(|(c, _)| *c == code)
            .unwrap_or(other);
        counter.increment(1);
    }
}
