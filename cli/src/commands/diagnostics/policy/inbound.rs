//! What a pod lets in.

use linkerd2_proxy_api::inbound::{
    Authz, HttpRoute, Network, PortSpec, Server,
    authn::{Permit, permit_mesh_tls::Clients},
    inbound_server_policies_client::InboundServerPoliciesClient,
    proxy_protocol::Kind,
};
use serde::Serialize;
use serde_json::json;

use super::matches;
use crate::cluster::PodName;
use crate::commands::diagnostics::DiagnosticsError;
use crate::commands::diagnostics::controller::{Controller, Service};
use crate::commands::diagnostics::view::{duration, label, line, metadata, protocol};
use crate::commands::output::Format;

/// The policy of a port of a pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Policy {
    pod: String,
    port: u16,
    /// Name of the policy that was chosen, as in metrics.
    policy: String,
    /// `detect`, `http1`, `http2`, `grpc`, `opaque` or `tls`.
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detect_timeout: Option<String>,
    /// Who may connect; nobody, if there is none.
    authorizations: Vec<Authorization>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<Route>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    name: String,
    /// `anyone`, `any client with an identity of this mesh`, or names.
    clients: Vec<String>,
    /// Networks that they connect from, with what is left out of each.
    networks: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    name: String,
    requests: Vec<String>,
    /// Beside those of the port.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorizations: Vec<Authorization>,
}

pub(super) async fn ask(
    controller: &Controller,
    pod: &PodName,
    port: u16,
    format: Format,
) -> Result<String, DiagnosticsError> {
    let channel = controller.channel(Service::Policy).await?;
    let request = PortSpec {
        workload: json!({"ns": pod.namespace, "pod": pod.name}).to_string(),
        port: port.into(),
    };
    let mut client = InboundServerPoliciesClient::new(channel);
    let answer = client.get_port(request);
    let question = format!("pod {pod}, port {port}");
    let server = controller
        .answer(&question, Service::Policy, answer)
        .await?;
    let policy = Policy::of(pod, port, server.get_ref());
    Ok(format.print(&policy, text))
}

impl Policy {
    pub(super) fn of(pod: &PodName, port: u16, server: &Server) -> Self {
        let kind = server
            .protocol
            .as_ref()
            .and_then(|protocol| protocol.kind.as_ref());
        let (name, timeout, routes) = match kind {
            Some(Kind::Detect(detect)) => {
                ("detect", detect.timeout.as_ref(), &detect.http_routes[..])
            }
            Some(Kind::Http1(http)) => ("http1", None, &http.routes[..]),
            Some(Kind::Http2(http)) => ("http2", None, &http.routes[..]),
            Some(Kind::Grpc(_)) => ("grpc", None, &[][..]),
            Some(Kind::Opaque(_)) => ("opaque", None, &[][..]),
            Some(Kind::Tls(_)) => ("tls", None, &[][..]),
            None => ("unknown", None, &[][..]),
        };
        Self {
            pod: pod.to_string(),
            port,
            policy: label(&server.labels, "name"),
            protocol: name,
            detect_timeout: duration(timeout),
            authorizations: server.authorizations.iter().map(authorization).collect(),
            routes: routes.iter().map(route).collect(),
        }
    }
}

fn route(route: &HttpRoute) -> Route {
    let requests = route.rules.iter().flat_map(|rule| &rule.matches);
    Route {
        name: metadata(route.metadata.as_ref()),
        requests: matches::requests(&route.hosts, requests),
        authorizations: route.authorizations.iter().map(authorization).collect(),
    }
}

fn authorization(authz: &Authz) -> Authorization {
    Authorization {
        name: metadata(authz.metadata.as_ref()),
        clients: clients(authz),
        networks: authz.networks.iter().filter_map(network).collect(),
    }
}

fn clients(authz: &Authz) -> Vec<String> {
    let permit = authz
        .authentication
        .as_ref()
        .and_then(|authn| authn.permit.as_ref());
    let tls = match permit {
        None => return Vec::new(),
        Some(Permit::Unauthenticated(_)) => return vec!["anyone".to_owned()],
        Some(Permit::MeshTls(tls)) => tls,
    };
    match &tls.clients {
        None => Vec::new(),
        Some(Clients::Unauthenticated(_)) => vec!["anyone over TLS".to_owned()],
        Some(Clients::Identities(names)) => {
            let suffix = |parts: &[String]| match parts {
                [] => "any identity of the mesh".to_owned(),
                parts => format!("*.{}", parts.join(".")),
            };
            let suffixes = names.suffixes.iter().map(|each| suffix(&each.parts));
            let names = names.identities.iter().map(|each| each.name.clone());
            names.chain(suffixes).collect()
        }
    }
}

fn network(network: &Network) -> Option<String> {
    let text = |net: &linkerd2_proxy_api::net::IpNetwork| {
        let net = ipnet::IpNet::try_from(*net).ok()?;
        Some(net.to_string())
    };
    let net = text(network.net.as_ref()?)?;
    let except: Vec<_> = network.except.iter().filter_map(text).collect();
    Some(match except.is_empty() {
        true => net,
        false => format!("{net} except {}", except.join(", ")),
    })
}

pub(super) fn text(policy: &Policy) -> String {
    let mut text = format!("What pod {} lets in on port {}\n", policy.pod, policy.port);
    text += &line("policy", &policy.policy);
    text += &line(
        "protocol",
        &protocol(policy.protocol, policy.detect_timeout.as_deref()),
    );
    text += "  who may connect\n";
    if policy.authorizations.is_empty() {
        text += "    nobody, except for the requests of routes below that let somebody in\n";
    }
    text += &allowed(&policy.authorizations);
    if !policy.routes.is_empty() {
        text += "  routes, the first that fits counts\n";
    }
    for route in &policy.routes {
        text += &format!("    {}: {}\n", route.name, route.requests.join(", "));
        for each in &route.authorizations {
            text += &format!("      also {}\n", who(each));
        }
    }
    text
}

fn allowed(authorizations: &[Authorization]) -> String {
    let line = |each: &Authorization| format!("    {} ({})\n", who(each), each.name);
    authorizations.iter().map(line).collect()
}

fn who(authorization: &Authorization) -> String {
    let everywhere = ["0.0.0.0/0", "::/0"];
    let networks = &authorization.networks;
    let from = match networks
        .iter()
        .all(|net| everywhere.contains(&net.as_str()))
    {
        true => "from anywhere".to_owned(),
        false => format!("from {}", networks.join(", ")),
    };
    format!("{} {from}", authorization.clients.join(" or "))
}
