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

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_identity::ca;

    /// The samples of a metric, as they are rendered.
    fn samples(metrics: &Metrics, name: &str) -> Vec<String> {
        let text = metrics.render();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.map(ToOwned::to_owned).collect()
    }

    fn is_silent(metrics: &Metrics) -> bool {
        let since = samples(metrics, "control_failing_since_timestamp_seconds");
        assert!(
            since.len() == 1 && since[0].contains("addr=\"127.0.0.1:8090\""),
            "{since:?}"
        );
        !since[0].ends_with(" 0")
    }

    #[test]
    fn silence_lasts_from_a_failure_to_the_next_answer() {
        let metrics = Metrics::default();
        let addr = ControlAddr {
            target: Target::Addr(([127, 0, 0, 1], 8090).into()),
            identity: None,
        };
        let client = observer(&metrics, "policy", &addr);
        client.response(Code::Cancelled, Duration::ZERO);
        assert!(!is_silent(&metrics), "we gave up");
        client.response(Code::Unavailable, Duration::ZERO);
        assert!(is_silent(&metrics));
        let last = samples(&metrics, "control_failure_timestamp_seconds");
        assert!(!last[0].ends_with(" 0"), "{last:?}");
        client.answered();
        assert!(!is_silent(&metrics));
        client.response(Code::Unavailable, Duration::ZERO);
        client.response(Code::NotFound, Duration::ZERO);
        assert!(!is_silent(&metrics), "that there is none is an answer");
    }

    #[tokio::test]
    async fn the_anchors_in_force_are_told() {
        let root = || {
            ca::generate(&ca::Options::default(), SystemTime::now())
                .unwrap()
                .root
                .pem()
        };
        let (old, new) = (root(), root());
        let (metrics, trust) = (Metrics::default(), TrustBundle::from_pem(&old).unwrap());
        let told = |metrics: &Metrics| samples(metrics, "control_identity_trust_anchors_info");
        let mut telling = tokio_test::task::spawn(trust_anchors(&metrics, trust.clone()));
        assert!(telling.poll().is_pending());
        let before = told(&metrics);
        assert!(
            before.len() == 1 && before[0].contains(&trust.fingerprint()),
            "{before:?}"
        );
        trust.replace_pem(&new).unwrap();
        assert!(telling.poll().is_pending());
        let after = told(&metrics);
        assert!(
            after.len() == 1 && after[0].contains(&trust.fingerprint()),
            "{after:?}"
        );
        assert_ne!(before, after);
    }
}
