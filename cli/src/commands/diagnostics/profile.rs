//! `mesh diagnostics profile`.

use linkerd2_proxy_api::destination::{
    DestinationProfile, GetDestination, destination_client::DestinationClient,
};
use serde::Serialize;

use super::DiagnosticsError;
use super::controller::{ControllerArgs, Service, first};
use super::view::{self, duration, line, metadata, yes_no};
use crate::commands::output;

#[cfg(test)]
mod tests;

/// Show what a target is, as the controller tells it to proxies: a service, a pod, or neither
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh diagnostics profile web.shop:80
  mesh diagnostics profile 10.96.7.1:80
  mesh diagnostics profile 10.1.0.7:8080 -o yaml
  mesh diagnostics profile web.demo --controller 127.0.1.250")]
pub(crate) struct Args {
    /// What a client connects to: IP:PORT, or the name of a service with or without a port
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Who asks, as its proxy would say it
    #[arg(long, value_name = "JSON", default_value = "")]
    token: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: output::Format,
    #[command(flatten)]
    controller: ControllerArgs,
}

/// What a target is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    address: String,
    /// For a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// For a pod, or an address that the cluster does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<view::Endpoint>,
    opaque: bool,
    /// What policy it falls under.
    parent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_budget: Option<RetryBudget>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryBudget {
    /// Retries to requests.
    ratio: f32,
    min_per_second: u32,
    ttl: String,
}

pub(super) async fn run(args: &Args) -> Result<(), DiagnosticsError> {
    let controller = args.controller.find().await?;
    let channel = controller.channel(Service::Destination).await?;
    let request = GetDestination {
        scheme: String::new(),
        path: args.address.clone(),
        context_token: args.token.clone(),
    };
    let mut client = DestinationClient::new(channel);
    let answer = async { first(client.get_profile(request).await).await };
    let profile = controller
        .answer(&args.address, Service::Destination, answer)
        .await?;
    let profile = Profile::of(&args.address, &profile);
    output::print(&args.output.print(&profile, text));
    Ok(())
}

impl Profile {
    fn of(address: &str, message: &DestinationProfile) -> Self {
        let name = &message.fully_qualified_name;
        let budget = message.retry_budget.as_ref();
        Self {
            address: address.to_owned(),
            service: (!name.is_empty()).then(|| name.clone()),
            endpoint: message.endpoint.as_ref().map(view::Endpoint::of),
            opaque: message.opaque_protocol,
            parent: metadata(message.parent_ref.as_ref()),
            retry_budget: budget.map(|budget| RetryBudget {
                ratio: budget.retry_ratio,
                min_per_second: budget.min_retries_per_second,
                ttl: duration(budget.ttl.as_ref()).unwrap_or_default(),
            }),
        }
    }
}

fn text(profile: &Profile) -> String {
    let address = &profile.address;
    let mut text = match (&profile.service, &profile.endpoint) {
        (Some(name), _) => format!("{address} is a service\n") + &line("name", name),
        (None, Some(endpoint)) if !endpoint.pod.is_empty() => {
            format!("{address} is a pod\n") + &of_pod(endpoint)
        }
        _ => format!(
            "{address} is neither a service nor a pod: connections go where the client meant them to go\n"
        ),
    };
    text += &line("opaque", yes_no(profile.opaque));
    text += &line("policy of", &profile.parent);
    if let Some(budget) = profile
        .retry_budget
        .as_ref()
        .filter(|_| profile.service.is_some())
    {
        let budget = format!(
            "{}% of requests, at least {} a second, over {}",
            budget.ratio * 100.0,
            budget.min_per_second,
            budget.ttl
        );
        text += &line("retries", &budget);
    }
    text
}

fn of_pod(endpoint: &view::Endpoint) -> String {
    let identity = endpoint.identity.as_deref();
    [
        line("pod", &endpoint.pod),
        line("account", &endpoint.service_account),
        line("zone", &endpoint.zone),
        line(
            "identity",
            identity.unwrap_or("none: connections to it are plaintext"),
        ),
        line("hint", endpoint.protocol_hint.unwrap_or_default()),
    ]
    .concat()
}
