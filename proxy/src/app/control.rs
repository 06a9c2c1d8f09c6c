//! Control-plane clients and our certificate, counted.

use crate::{
    control::{ControlAddr, ControlObserver, observe::RecordType},
    metrics::{
        AnswerMetrics, CertMetrics, Class, DnsMetrics, HttpEndpointMetrics, Labels, Metrics, NoTls,
        Record,
    },
    policy::Target,
};
use mesh_identity::{
    TrustBundle,
    certify::{self, CertifyError},
};
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tonic::Code;

struct Control {
    dns: Arc<DnsMetrics>,
    http: Arc<HttpEndpointMetrics>,
    answers: AnswerMetrics,
}

/// Counts what the client of the service `name` does.
pub(super) fn observer(
    metrics: &Metrics,
    name: &'static str,
    addr: &ControlAddr,
) -> Arc<dyn ControlObserver> {
    let labels = Labels::new().with("addr", addr.target.to_string());
    let loopback = matches!(&addr.target, Target::Addr(addr) if addr.ip().is_loopback());
    let labels = match &addr.identity {
        Some(identity) if !loopback => labels.tls_server(identity.clone()),
        _ => labels.no_tls(NoTls::Loopback),
    };
    Arc::new(Control {
        dns: metrics.dns(name),
        http: metrics.http_control(&labels),
        answers: metrics.answers(&labels),
    })
}

impl ControlObserver for Control {
    fn dns(&self, record: RecordType, found: bool) {
        let record = match record {
            RecordType::Srv => Record::Srv,
            RecordType::Address => Record::Address,
        };
        self.dns.resolved(record, found);
    }

    fn request(&self) {
        self.http.request();
    }

    fn answered(&self) {
        self.answers.answered();
    }

    fn response(&self, code: Code, after: Duration) {
        match code {
            // We gave it up ourselves, which says nothing about the other side.
            Code::Cancelled => {}
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unknown => self.answers.failed(SystemTime::now()),
            // That there is none is an answer too.
            _ => self.answers.answered(),
        }
        let class = match code {
            Code::Ok | Code::Cancelled => Class::Success,
            _ => Class::Failure,
        };
        let code = u8::try_from(i32::from(code)).unwrap_or(2);
        self.http.response(Some(200), class, Some(code), "", after);
    }
}

/// Tells which trust anchors are in force, for as long as it is polled.
pub(super) async fn trust_anchors(metrics: &Metrics, trust: TrustBundle) -> Infallible {
    let mut changed = trust.changed();
    loop {
        let _told = metrics.trust_anchors(trust.fingerprint());
        if changed.changed().await.is_err() {
            // The sender lives in the bundle that we hold.
            std::future::pending::<()>().await;
        }
    }
}

/// Counts refreshes of our certificate.
pub(super) fn certificate(metrics: &Metrics) -> impl certify::Observer + use<> {
    Certificate(metrics.certificate())
}

struct Certificate(Arc<CertMetrics>);

impl certify::Observer for Certificate {
    fn refreshed(&self, now: SystemTime, expiry: SystemTime) {
        self.0.refreshed(now, expiry);
    }

    fn failed(&self, _: &CertifyError) {
        self.0.failed();
    }
}
