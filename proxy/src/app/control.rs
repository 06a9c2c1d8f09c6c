//! Control-plane clients and our certificate, counted.

use crate::{
    control::{ControlAddr, ControlObserver, observe::RecordType},
    metrics::{
        CertMetrics, Class, DnsMetrics, HttpEndpointMetrics, Labels, Metrics, NoTls, Record,
    },
    policy::Target,
};
use mesh_identity::certify::{self, CertifyError};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tonic::Code;

struct Control {
    dns: Arc<DnsMetrics>,
    http: Arc<HttpEndpointMetrics>,
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

    fn response(&self, code: Code, after: Duration) {
        let class = match code {
            Code::Ok | Code::Cancelled => Class::Success,
            _ => Class::Failure,
        };
        let code = u8::try_from(i32::from(code)).unwrap_or(2);
        self.http.response(Some(200), class, Some(code), "", after);
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
