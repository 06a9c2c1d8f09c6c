//! `mesh diagnostics proxy-metrics` and `controller-metrics`: as they are, for `grep` and for bug reports.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::{Container, Pod};
use mesh_controller::injector::PROXY;

use super::DiagnosticsError;
use crate::cluster::{Cluster, ClusterArgs, PodName, Resource};
use crate::commands::output;
use crate::local::port;

/// Name of a proxy's admin port in its pod.
const ADMIN: &str = "mesh-admin";

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
    let port = |pod: &Pod| admin_port(pod).ok_or("it has no proxy of the mesh");
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

/// Where a proxy answers questions about itself; none for a pod without one.
fn admin_port(pod: &Pod) -> Option<u16> {
    let spec = pod.spec.as_ref()?;
    let init = spec.init_containers.iter().flatten();
    let mut containers = spec.containers.iter().chain(init);
    let proxy: &Container = containers.find(|container| container.name == PROXY)?;
    let mut ports = proxy.ports.iter().flatten();
    let admin = ports.find(|port| port.name.as_deref() == Some(ADMIN));
    let number = admin.and_then(|port| u16::try_from(port.container_port).ok());
    Some(number.unwrap_or(port::ADMIN))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_admin_port_is_the_one_that_was_injected() {
        let pod = |place: &str, ports: serde_json::Value| -> Pod {
            let mut spec = json!({"containers": [{"name": "app"}]});
            spec[place] = json!([{"name": "mesh-proxy", "ports": ports}]);
            serde_json::from_value(json!({"spec": spec})).unwrap()
        };
        let named = json!([{"name": "mesh-proxy", "containerPort": 4143}, {"name": "mesh-admin", "containerPort": 5191}]);
        assert_eq!(
            admin_port(&pod("initContainers", named.clone())),
            Some(5191)
        );
        assert_eq!(admin_port(&pod("containers", named)), Some(5191));
        assert_eq!(admin_port(&pod("containers", json!([]))), Some(4191));
        assert_eq!(admin_port(&Pod::default()), None);
    }
}
