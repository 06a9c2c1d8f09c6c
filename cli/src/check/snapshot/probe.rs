//! What processes in pods say of themselves, asked through port-forwards.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{Metrics, Objects, Scope};
use crate::check::Plan;
use crate::check::checks::expected;
use crate::check::checks::pods::{admin_port, is_running, proxy_of};
use crate::cluster::{Cluster, PATIENCE, PodName};
use crate::local::get_over;

mod served;

/// Pods asked at a time: each is two streams through the API server.
const AT_ONCE: usize = 16;
/// Admin port of the control plane's processes.
const CONTROL_PLANE_ADMIN: u16 = 9990;
/// Where the injector listens.
const WEBHOOK: u16 = 8443;

/// Answers of pods.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes {
    /// Of the control plane.
    pub(crate) control_plane: BTreeMap<PodName, Probe>,
    /// Of meshed pods.
    pub(crate) proxies: BTreeMap<PodName, Probe>,
    /// Certificates that pods of the injector serve, the leaf first.
    pub(crate) webhook: BTreeMap<PodName, Result<Vec<CertificateDer<'static>>, String>>,
}

/// What a pod's admin server said, or why it said nothing.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// Of `/ready`.
    pub(crate) ready: Result<Answer, String>,
    /// Of `/metrics`.
    pub(crate) metrics: Result<Metrics, String>,
}

/// An answer of an admin server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) ok: bool,
    pub(crate) text: String,
    /// The pod's clock less ours, in seconds; its answer has whole ones.
    pub(crate) ahead: Option<i64>,
}

/// Asks the pods that the checks of a plan look at.
pub(super) async fn read(
    cluster: &Cluster,
    plan: Plan,
    scope: &Scope,
    objects: &Objects,
) -> Probes {
    let Ok(pods) = &objects.pods else {
        return Probes::default();
    };
    let running = || pods.iter().filter(|pod| is_running(pod));
    let of_mesh = || running().filter(|pod| pod.metadata.namespace.as_ref() == Some(&scope.mesh));
    let control_plane = of_mesh().filter(|pod| expected::component(pod).is_some());
    let injectors = of_mesh().filter(|pod| expected::component(pod) == Some("injector"));
    let meshed = running().filter(|pod| plan == Plan::Proxies && is_covered(pod, scope));
    let (control_plane, proxies, webhook) = tokio::join!(
        ask_all(cluster, control_plane.map(|pod| (pod, CONTROL_PLANE_ADMIN))),
        ask_all(cluster, meshed.map(|pod| (pod, admin_port(pod)))),
        served::by_all(cluster, &scope.mesh, injectors, WEBHOOK),
    );
    Probes {
        control_plane,
        proxies,
        webhook,
    }
}

fn is_covered(pod: &Pod, scope: &Scope) -> bool {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    scope.covers(namespace) && proxy_of(pod).is_some()
}

async fn ask_all<'a>(
    cluster: &Cluster,
    pods: impl Iterator<Item = (&'a Pod, u16)>,
) -> BTreeMap<PodName, Probe> {
    let each = pods.map(|(pod, port)| {
        let pod = PodName::of(pod);
        async move {
            let probe = ask(cluster, &pod, port).await;
            (pod, probe)
        }
    });
    // Boxed futures end the compiler's search for lifetimes in a stream of closures.
    let each: Vec<_> = each.map(futures::FutureExt::boxed_local).collect();
    stream::iter(each).buffer_unordered(AT_ONCE).collect().await
}

async fn ask(cluster: &Cluster, pod: &PodName, port: u16) -> Probe {
    let (ready, metrics) = tokio::join!(
        get(cluster, pod, port, "/ready"),
        get(cluster, pod, port, "/metrics")
    );
    Probe {
        ready,
        metrics: metrics.map(|answer| Metrics::new(answer.text)),
    }
}

async fn get(cluster: &Cluster, pod: &PodName, port: u16, path: &str) -> Result<Answer, String> {
    let exchange = async {
        let stream = cluster.port_forward(pod, port).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let response = get_over(stream, "localhost", path).await;
        response.map_err(|error| format!("port {port}: {error}"))
    };
    let limited = tokio::time::timeout(PATIENCE, exchange).await;
    let response = limited.unwrap_or_else(|_| Err(silence(port)))?;
    let date = response.headers().get(http::header::DATE);
    let date = date.and_then(|date| date.to_str().ok());
    Ok(Answer {
        ok: response.status().is_success(),
        ahead: date.and_then(|date| ahead(date, Timestamp::now())),
        text: String::from_utf8_lossy(response.body()).into_owned(),
    })
}

fn silence(port: u16) -> String {
    let patience: Duration = PATIENCE;
    format!("port {port}: no answer within {} s", patience.as_secs())
}

/// How much later an HTTP date (RFC 9110, 5.6.7) is than `now`.
fn ahead(date: &str, now: Timestamp) -> Option<i64> {
    let then = k8s_openapi::jiff::fmt::rfc2822::parse(date).ok()?;
    Some(then.timestamp().as_second() - now.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_tells_how_far_a_clock_is_ahead() {
        let now: Timestamp = "2026-11-21T17:00:00.9Z".parse().unwrap();
        assert_eq!(ahead("Sat, 21 Nov 2026 17:00:30 GMT", now), Some(30));
        assert_eq!(ahead("Sat, 21 Nov 2026 16:59:00 GMT", now), Some(-60));
        assert_eq!(ahead("yesterday", now), None);
    }
}
