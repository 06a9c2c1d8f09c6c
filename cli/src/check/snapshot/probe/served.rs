//! The certificates that the injector's pods serve, whatever they are.

use std::collections::BTreeMap;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::check::checks::expected;
use crate::cluster::{Cluster, PATIENCE, PodName};
use crate::presented::presented;

type Served = Result<Vec<CertificateDer<'static>>, String>;

/// What each of the pods serves to the API server.
pub(super) async fn by_all<'a>(
    cluster: &Cluster,
    mesh: &str,
    pods: impl Iterator<Item = &'a Pod>,
    port: u16,
) -> BTreeMap<PodName, Served> {
    let each = pods.map(|pod| {
        let pod = PodName::of(pod);
        async move {
            let handshake = handshake(cluster, mesh, &pod, port);
            let served = match tokio::time::timeout(PATIENCE, handshake).await {
                Ok(served) => served,
                Err(_) => Err(super::silence(port)),
            };
            (pod, served)
        }
    });
    join_all(each).await.into_iter().collect()
}

async fn handshake(cluster: &Cluster, mesh: &str, pod: &PodName, port: u16) -> Served {
    let stream = cluster.port_forward(pod, port).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(expected::webhook_host(mesh)).map_err(|e| e.to_string())?;
    let certificates = presented(stream, name).await;
    certificates.map_err(|error| format!("port {port}: {error}"))
}
