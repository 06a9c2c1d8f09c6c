//! `mesh diagnostics policy`.
//!
//! A pod has a policy for what it lets in, a service for what clients do with
//! it; the kind of the resource says which is asked for. Linkerd prints the
//! message as it travels. Here it is put into words, in the order in which
//! somebody asks who is looking for the rule that stopped a request; JSON and
//! YAML have the same facts, and not the message's own nesting.

use std::net::IpAddr;
use std::str::FromStr;

use super::DiagnosticsError;
use super::controller::{Controller, ControllerArgs};
use crate::cluster::{Kind, PodName, Resource};
use crate::commands::output;

mod inbound;
mod matches;
mod outbound;
#[cfg(test)]
mod tests;

/// Show the policy of a port: what a pod lets in, or what clients do with a service
///
/// A service's is what every client's proxy is told: protocol, balancing, timeouts, retries, ejection. A pod's is what its own proxy is
/// told: who may connect, and with which requests.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh diagnostics policy -n shop svc/web 80
  mesh diagnostics policy -n shop pod/web-0 8080
  mesh diagnostics policy -n shop deploy/web 8080 -o yaml
  mesh diagnostics policy 192.0.2.1 443
  mesh diagnostics policy -n demo svc/web 80 --controller 127.0.1.250")]
pub(crate) struct Args {
    /// svc/NAME or an IP address for clients' policy; pod/NAME, deploy/NAME, sts/NAME, ... for what a pod lets in
    #[arg(value_name = "RESOURCE")]
    subject: Subject,
    /// The service's or the pod's port
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Namespace of the resource, if not the context's
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Who asks for a service's policy, as its proxy would say it
    #[arg(long, value_name = "JSON", default_value = "")]
    token: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: output::Format,
    #[command(flatten)]
    controller: ControllerArgs,
}

#[derive(Clone, Debug)]
enum Subject {
    Address(IpAddr),
    Resource(Resource),
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(ip) => Ok(Self::Address(ip)),
            Err(_) => Ok(Self::Resource(text.parse()?)),
        }
    }
}

pub(super) async fn run(args: &Args) -> Result<(), DiagnosticsError> {
    let controller = args.controller.find().await?;
    let namespace = args.namespace.as_deref();
    let namespace = namespace.unwrap_or(controller.default_namespace());
    let target = |target: String| outbound::Question {
        target,
        port: args.port,
        token: &args.token,
    };
    let text = match &args.subject {
        Subject::Address(ip) => {
            outbound::ask(&controller, &target(ip.to_string()), args.output).await?
        }
        Subject::Resource(resource) if resource.kind == Kind::Service => {
            let name = format!("{}.{namespace}.svc", resource.name);
            outbound::ask(&controller, &target(name), args.output).await?
        }
        Subject::Resource(resource) => {
            let pod = pod(&controller, namespace, resource).await?;
            inbound::ask(&controller, &pod, args.port, args.output).await?
        }
    };
    output::print(&text);
    Ok(())
}

/// The pod that is asked about: of a workload its first, since all are made of one template.
async fn pod(
    controller: &Controller,
    namespace: &str,
    resource: &Resource,
) -> Result<PodName, DiagnosticsError> {
    if resource.kind == Kind::Pod {
        return Ok(PodName {
            namespace: namespace.to_owned(),
            name: resource.name.clone(),
        });
    }
    let cluster = controller.cluster();
    let cluster = cluster.ok_or_else(|| DiagnosticsError::NeedsCluster(resource.to_string()))?;
    let pods = cluster.pods_of(namespace, resource).await?;
    let first = pods.first().map(PodName::of);
    first.ok_or_else(|| DiagnosticsError::NoPods {
        resource: resource.to_string(),
        namespace: namespace.to_owned(),
    })
}
