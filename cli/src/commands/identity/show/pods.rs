//! The certificates that the proxies of pods serve.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use mesh_identity::TrustBundle;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::witness::{self, Seen};
use super::{Args, ShowError, describe};
use crate::cluster::{Cluster, PodName, Resource, proxy};
use crate::commands::output;

/// For the handshake, on top of what the port-forward takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where install puts the trust anchors.
const BUNDLE: &str = "mesh-trust-bundle";
const BUNDLE_KEY: &str = "ca-bundle.crt";

/// Prints what each pod serves, as it comes.
pub(super) async fn show(args: &Args, resources: &[Resource]) -> Result<(), ShowError> {
    let cluster = args.cluster.connect().await?;
    let namespace = args
        .namespace
        .as_ref()
        .unwrap_or(&cluster.default_namespace);
    let pods = find(&cluster, namespace, args.selector.as_deref(), resources).await?;
    if pods.is_empty() {
        return Err(ShowError::NoPods(namespace.clone()));
    }
    let pem = anchors(&cluster, args).await?;
    let mut failed = 0;
    for (name, pod) in &pods {
        let text = match see(&cluster, name, pod, &pem).await {
            Ok(seen) => {
                failed += usize::from(seen.verdict.is_err());
                text(name, &seen)
            }
            Err(reason) => {
                failed += 1;
                format!("{name}\n  verified  no: {reason}\n")
            }
        };
        output::print(&text);
    }
    match failed {
        0 => Ok(()),
        failed => Err(ShowError::Unproven {
            failed,
            all: pods.len(),
        }),
    }
}

/// Each pod once, however often it is named.
async fn find(
    cluster: &Cluster,
    namespace: &str,
    selector: Option<&str>,
    resources: &[Resource],
) -> Result<BTreeMap<PodName, Pod>, ShowError> {
    let mut pods = match selector {
        Some(selector) => cluster.pods(Some(namespace), selector).await?,
        None => Vec::new(),
    };
    for resource in resources {
        pods.extend(cluster.pods_of(namespace, resource).await?);
    }
    Ok(pods
        .into_iter()
        .map(|pod| (PodName::of(&pod), pod))
        .collect())
}

/// The trust anchors, as PEM: of the file that was named, else the mesh's own.
async fn anchors(cluster: &Cluster, args: &Args) -> Result<String, ShowError> {
    let bad = |cause: String| ShowError::Bundle {
        namespace: cluster.namespace.clone(),
        cause,
    };
    let pem = match &args.trust_anchors {
        Some(path) => std::fs::read_to_string(path).map_err(|source| ShowError::Read {
            path: path.clone(),
            source,
        })?,
        None => {
            let api = Api::<ConfigMap>::namespaced(cluster.client.clone(), &cluster.namespace);
            let found = api.get(BUNDLE).await;
            let found = found.map_err(|error| cluster.failed(&error, "get", "configmaps"));
            let data = found.map_err(|error| bad(error.to_string()))?.data;
            let pem = data.and_then(|mut data| data.remove(BUNDLE_KEY));
            pem.ok_or_else(|| bad(format!("ConfigMap {BUNDLE} has no key {BUNDLE_KEY}")))?
        }
    };
    TrustBundle::from_pem(&pem).map_err(|error| bad(error.to_string()))?;
    Ok(pem)
}

async fn see(cluster: &Cluster, name: &PodName, pod: &Pod, anchors: &str) -> Result<Seen, String> {
    let port = proxy::inbound_port(pod).ok_or("it has no proxy of the mesh")?;
    let identity = proxy::identity(pod);
    let identity =
        identity.ok_or("its proxy was not told an identity that this program knows the form of")?;
    let trust = TrustBundle::from_pem(anchors).map_err(|error| error.to_string())?;
    let stream = cluster.port_forward(name, port).await;
    let stream = stream.map_err(|error| error.to_string())?;
    match tokio::time::timeout(PATIENCE, witness::see(stream, &identity, trust)).await {
        Ok(seen) => seen.map_err(|error| format!("no handshake with port {port}: {error}")),
        Err(_) => Err(format!(
            "port {port} did not answer within {} s",
            PATIENCE.as_secs()
        )),
    }
}

fn text(name: &PodName, seen: &Seen) -> String {
    let verified = match &seen.verdict {
        Ok(()) => "yes, by the trust anchors and for its service account".to_owned(),
        Err(reason) => format!("no: {reason}"),
    };
    let leaf = seen.leaf.as_deref();
    let leaf = leaf.and_then(|leaf| X509Certificate::from_der(leaf).ok());
    let leaf = leaf.map_or_else(
        || "  its certificate cannot be parsed\n".to_owned(),
        |(_, leaf)| describe(&leaf),
    );
    format!("{name}\n  verified  {verified}\n{leaf}")
}
