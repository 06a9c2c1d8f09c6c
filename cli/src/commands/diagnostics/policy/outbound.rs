//! What clients do with a service, or with an address.

use std::net::SocketAddr;

use linkerd2_proxy_api::outbound::{
    TrafficSpec, outbound_policies_client::OutboundPoliciesClient, traffic_spec::Target,
};
use mesh_controller::generated::balancing::{
    BalancingPolicy, WatchRequest, balancing_client::BalancingClient, balancing_policy,
};

use crate::commands::diagnostics::DiagnosticsError;
use crate::commands::diagnostics::controller::{Controller, Service, first};
use crate::commands::output::Format;

mod text;
mod view;

pub(super) use text::text;
pub(super) use view::Policy;

/// A target, and who asks.
pub(super) struct Question<'a> {
    /// A service's name or an IP address.
    pub(super) target: String,
    pub(super) port: u16,
    pub(super) token: &'a str,
}

pub(super) async fn ask(
    controller: &Controller,
    question: &Question<'_>,
    format: Format,
) -> Result<String, DiagnosticsError> {
    let authority = match question.target.parse() {
        Ok(ip) => SocketAddr::new(ip, question.port).to_string(),
        Err(_) => format!("{}:{}", question.target, question.port),
    };
    let request = TrafficSpec {
        source_workload: question.token.to_owned(),
        target: Some(Target::Authority(authority.clone())),
    };
    let mut client = OutboundPoliciesClient::new(controller.channel(Service::Policy).await?);
    let answer = client.get(request);
    let message = controller
        .answer(&authority, Service::Policy, answer)
        .await?;
    let mut policy = Policy::of(&authority, message.get_ref());
    if policy.is_balanced() {
        policy.balancing = Some(balancing(controller, &authority, question.token).await?);
    }
    Ok(format.print(&policy, text))
}

/// How the endpoints of a service are picked: it travels beside Linkerd's policy.
async fn balancing(
    controller: &Controller,
    authority: &str,
    token: &str,
) -> Result<&'static str, DiagnosticsError> {
    let channel = controller.channel(Service::Destination).await?;
    let request = WatchRequest {
        authority: authority.to_owned(),
        context_token: token.to_owned(),
    };
    let mut client = BalancingClient::new(channel);
    let answer = async {
        // A controller without this service has one way only.
        match first(client.watch(request).await).await {
            Err(status) if status.code() == tonic::Code::Unimplemented => {
                Ok(BalancingPolicy::default())
            }
            answer => answer,
        }
    };
    let policy = controller
        .answer(authority, Service::Destination, answer)
        .await?;
    Ok(algorithm(&policy))
}

fn algorithm(policy: &BalancingPolicy) -> &'static str {
    match policy.kind {
        None | Some(balancing_policy::Kind::PeakEwma(_)) => "peak-ewma",
        Some(balancing_policy::Kind::RoundRobin(_)) => "round-robin",
        Some(balancing_policy::Kind::LeastRequest(_)) => "least-request",
        Some(balancing_policy::Kind::Random(_)) => "random",
    }
}
