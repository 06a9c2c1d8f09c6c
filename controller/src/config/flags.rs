//! The command line of `mesh-controller`; every flag is an environment
//! variable too.

mod convert;

use super::{Role, SourceConfig};
use crate::{
    identity::HostPort,
    model::{inbound::DefaultPolicy, ports::PortSet},
};
use clap::{
    CommandFactory, Parser,
    error::{ContextKind, ContextValue},
};
use ipnet::IpNet;
use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

const EXAMPLES: &str = "\
Examples:
  # Serve the manifests of a directory to proxies on this machine
  mesh-controller --source ./manifests

  # Serve the objects of the cluster that this pod runs in
  mesh-controller --source kubernetes

  # Give the pods of that cluster their proxies
  mesh-controller --source kubernetes --serve injector \
    --injector-addr 0.0.0.0:8443 --trust-anchors /anchors/ca-bundle.crt

  # Refuse clients without an identity unless a workload says otherwise
  mesh-controller --source ./manifests --default-inbound-policy all-authenticated

  # Serve other machines too, by mutual TLS
  mesh-controller --source ./manifests --destination-addr 0.0.0.0:8086 \
    --policy-addr 0.0.0.0:8090 --identity-addr 127.0.0.1:8080 \
    --identity-token ./controller.token --trust-anchors ./identity/ca.crt

  # Any free ports (they are in the log)
  mesh-controller --source ./manifests --destination-addr 127.0.0.1:0 \\
    --policy-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0

Exit status: 0 after SIGTERM or SIGINT, 1 when it can't start or serve, 2 for bad flags.";

/// Tells proxies where services are and what policy applies, from the objects of
/// a Kubernetes cluster or a directory of manifests; in a cluster it also injects
/// the proxies.
#[derive(Clone, Debug, Parser)]
#[command(name = "mesh-controller", version, after_help = EXAMPLES)]
pub struct Flags {
    /// Where the objects are: kubernetes, or a directory of manifests (.yaml,
    /// .yml, .json) as a path or as directory:PATH; watched for changes
    #[arg(
        long,
        env = "MESH_CONTROLLER_SOURCE",
        value_name = "SOURCE",
        value_parser = <SourceConfig as std::str::FromStr>::from_str
    )]
    source: SourceConfig,
    /// What this process does, with commas between: destination (destinations,
    /// balancing and policies, for proxies), injector (the injection webhook and
    /// the trust bundles of namespaces; needs --source kubernetes)
    #[arg(
        long,
        env = "MESH_CONTROLLER_SERVE",
        value_delimiter = ',',
        default_value = "destination",
        hide_possible_values = true,
        value_name = "ROLES"
    )]
    serve: Vec<Role>,
    /// Kubeconfig for --source kubernetes, if not KUBECONFIG, ~/.kube/config or
    /// the pod's service account
    #[arg(long, env = "MESH_CONTROLLER_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig, if not its current one
    #[arg(long, env = "MESH_CONTROLLER_KUBE_CONTEXT", value_name = "NAME")]
    kube_context: Option<String>,
    /// Where the destination and balancing services listen
    #[arg(
        long,
        env = "MESH_CONTROLLER_DESTINATION_ADDR",
        default_value = "127.0.0.1:8086"
    )]
    destination_addr: SocketAddr,
    /// Where the policy services listen
    #[arg(
        long,
        env = "MESH_CONTROLLER_POLICY_ADDR",
        default_value = "127.0.0.1:8090"
    )]
    policy_addr: SocketAddr,
    /// Where the injection webhook listens
    #[arg(
        long,
        env = "MESH_CONTROLLER_INJECTOR_ADDR",
        default_value = "127.0.0.1:8443"
    )]
    injector_addr: SocketAddr,
    /// What injections go by where neither pod nor namespace says otherwise: a
    /// YAML map from names of annotations (without prefix) to values
    #[arg(long, env = "MESH_CONTROLLER_PROXY_DEFAULTS", value_name = "FILE")]
    proxy_defaults: Option<PathBuf>,
    /// Where /live, /ready and /metrics listen
    #[arg(
        long,
        env = "MESH_CONTROLLER_ADMIN_ADDR",
        default_value = "127.0.0.1:9990"
    )]
    admin_addr: SocketAddr,
    /// Namespace of the control plane, part of every identity
    #[arg(
        long,
        env = "MESH_CONTROLLER_NAMESPACE",
        default_value = "mesh",
        value_name = "NAME"
    )]
    identity_namespace: String,
    /// Trust domain, the last part of every identity
    #[arg(
        long,
        env = "MESH_CONTROLLER_TRUST_DOMAIN",
        default_value = "cluster.local",
        value_name = "DOMAIN"
    )]
    trust_domain: String,
    /// DNS domain of services
    #[arg(
        long,
        env = "MESH_CONTROLLER_CLUSTER_DOMAIN",
        default_value = "cluster.local",
        value_name = "DOMAIN"
    )]
    cluster_domain: String,
    /// Who may connect where nothing else is said: all-unauthenticated,
    /// all-authenticated, cluster-unauthenticated, cluster-authenticated, deny
    /// or audit
    #[arg(
        long,
        env = "MESH_CONTROLLER_DEFAULT_INBOUND_POLICY",
        default_value = "all-unauthenticated",
        value_name = "POLICY"
    )]
    default_inbound_policy: DefaultPolicy,
    /// Ports not to be parsed, where no annotation says otherwise
    #[arg(
        long,
        env = "MESH_CONTROLLER_OPAQUE_PORTS",
        default_value = "25,587,3306,4444,5432,6379,9300,11211",
        value_name = "PORTS"
    )]
    opaque_ports: PortSet,
    /// Networks of pods and services; other addresses are forwarded as they are
    #[arg(
        long,
        env = "MESH_CONTROLLER_CLUSTER_NETWORKS",
        value_delimiter = ',',
        default_value = "10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fd00::/8",
        value_name = "CIDRS"
    )]
    cluster_networks: Vec<IpNet>,
    /// Networks that HTTP probes come from
    #[arg(
        long,
        env = "MESH_CONTROLLER_PROBE_NETWORKS",
        value_delimiter = ',',
        default_value = "0.0.0.0/0,::/0",
        value_name = "CIDRS"
    )]
    probe_networks: Vec<IpNet>,
    /// Leave out IPv6 endpoints
    #[arg(long, env = "MESH_CONTROLLER_DISABLE_IPV6")]
    disable_ipv6: bool,
    /// Don't let proxies carry HTTP/1 over HTTP/2 between each other
    #[arg(long, env = "MESH_CONTROLLER_DISABLE_H2_UPGRADE")]
    disable_h2_upgrade: bool,
    /// Give endpoints in the client's zone ten times the weight
    #[arg(long, env = "MESH_CONTROLLER_PREFER_LOCAL_ZONE")]
    prefer_local_zone: bool,
    /// Identity service to ask for a certificate, by address or DNS name; needed
    /// to serve destinations and policies on anything but loopback
    #[arg(long, env = "MESH_CONTROLLER_IDENTITY_ADDR", value_name = "HOST:PORT", requires_all = ["identity_token", "trust_anchors"])]
    identity_addr: Option<HostPort>,
    /// File with the token that proves the controller's identity
    #[arg(long, env = "MESH_CONTROLLER_IDENTITY_TOKEN", value_name = "FILE")]
    identity_token: Option<PathBuf>,
    /// Trust anchors (PEM); the injector keeps them in the ConfigMap
    /// mesh-trust-bundle of every meshed namespace
    #[arg(long, env = "MESH_CONTROLLER_TRUST_ANCHORS_FILE", value_name = "FILE")]
    trust_anchors: Option<PathBuf>,
    /// Service account of this process, in its certificate
    #[arg(
        long,
        env = "MESH_CONTROLLER_SERVICE_ACCOUNT",
        default_value = "mesh-destination",
        value_name = "NAME"
    )]
    service_account: String,
    /// Logs at this level and above: error, warn, info, debug, trace
    #[arg(
        long,
        env = "MESH_CONTROLLER_LOG",
        default_value = "info",
        value_name = "LEVEL"
    )]
    pub log: tracing::Level,
}

impl Flags {
    /// Reads the command line and environment of the process. On bad values
    /// and for `--help`, prints what there is to say and exits.
    #[must_use]
    pub fn of_process() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            // Clap names the flag; whoever set a variable looks for that.
            let variable = variable_of(&error).filter(|name| std::env::var_os(name).is_some());
            if let Some(variable) = variable {
                eprintln!("note: {} is set in the environment", variable.display());
            }
            error.exit()
        })
    }
}

/// The environment variable of the flag that an error is about.
fn variable_of(error: &clap::Error) -> Option<OsString> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let flag = flag.split(' ').next()?.strip_prefix("--")?;
    let command = Flags::command();
    let argument = command
        .get_arguments()
        .find(|each| each.get_long() == Some(flag))?;
    argument.get_env().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests;
