//! `mesh diagnostics proxy-metrics` and `controller-metrics`: as they are, for `grep` and for bug reports.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::Pod;

use super::DiagnosticsError;
use crate::cluster::{Cluster, ClusterArgs, PodName, Resource, proxy};
use crate::commands::output;
use crate::local::port;

/// Print the metrics of proxies
///
/// In the Prometheus text format, a pod after the other; docs/metrics.md explains them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh diagnostics proxy-metrics -n shop deploy/web
  mesh diagnostics proxy-metrics -n shop pod/web-0 | grep ^response_total")]
pub(crate) struct ProxyArgs {
    /// A pod, or what has pods: pod/NAME, deploy/NAME, sts/NAME, ds/NAME, rs/NAME, job/NAME, svc/NAME
    #[arg(value_name = "KIND/NAME")]
    resource: Resource,
    /// Its namespace, if not the context's
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Print the metrics of the control plane's pods
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh diagnostics controller-metrics | grep -v '^#'
  mesh diagnostics controller-metrics --component destination")]
pub(crate) struct ControllerArgs {
    /// Only of this component: identity, destination or injector
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub(super) async fn proxies(args: &ProxyArgs) -> Result<(), DiagnosticsError> {
    let cluster = args.cluster.connect().await?;
    let namespace = args
        .namespace
        .as_ref()
        .unwrap_or(&cluster.default_namespace);
    let pods = cluster.pods_of(namespace, &args.resource).await?;
    if pods.is_empty() {
        return Err(DiagnosticsError::NoPods {
            resource: args.resource.to_string(),
            namespace: namespace.clone(),
        });
    }
    let port = |pod: &Pod| proxy::admin_port(pod).ok_or("it has no proxy of the mesh");
    print(&cluster, &pods, port).await
}

pub(super) async fn control_plane(args: &ControllerArgs) -> Result<(), DiagnosticsError> {
    let cluster = args.cluster.connect().await?;
    let pods = cluster.control_plane(args.component.as_deref()).await?;
    if pods.is_empty() {
        return Err(DiagnosticsError::NoPods {
            resource: format!("mesh-{}", args.component.as_deref().unwrap_or("*")),
            namespace: cluster.namespace.clone(),
        });
    }
    print(&cluster, &pods, |_| Ok(port::CONTROLLER_ADMIN)).await
}

async fn print(
    cluster: &Cluster,
    pods: &[Pod],
    port: impl Fn(&Pod) -> Result<u16, &'static str>,
) -> Result<(), DiagnosticsError> {
    let mut failed = 0;
    for (number, pod) in (1..).zip(pods) {
        let name = PodName::of(pod);
        let metrics = match port(pod) {
            Ok(port) => cluster
                .get(&name, port, "/metrics")
                .await
                .map_err(|error| error.to_string()),
            Err(reason) => Err(reason.to_owned()),
        };
        let mut text = format!("# POD {name} ({number} of {})\n", pods.len());
        match metrics {
            Ok(metrics) => text += &metrics,
            Err(reason) => {
                failed += 1;
                let _ = writeln!(text, "# no metrics: {reason}");
                eprintln!("mesh: {name}: {reason}");
            }
        }
        output::print(&text);
    }
    match failed {
        0 => Ok(()),
        failed => Err(DiagnosticsError::Some {
            failed,
            all: pods.len(),
        }),
    }
}
