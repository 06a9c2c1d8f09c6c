//! `mesh diagnostics endpoints`.

use linkerd2_proxy_api::destination::{
    GetDestination, Update, destination_client::DestinationClient, update::Update as Kind,
};
use serde::Serialize;

use super::DiagnosticsError;
use super::controller::{Controller, ControllerArgs, Service, first};
use super::view::{self, label};
use crate::commands::output::{self, table};

#[cfg(test)]
mod tests;

/// Show the endpoints of services, as the controller tells them to proxies
///
/// A dash under IDENTITY means that connections to the endpoint are plaintext. HINT is what the endpoint's proxy takes: h2 carries HTTP/1
/// inside HTTP/2, opaque bytes are not parsed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh diagnostics endpoints web.shop:80
  mesh diagnostics endpoints web.shop.svc.cluster.local:80 db.shop:5432 -o json
  mesh diagnostics endpoints web.shop --token '{\"ns\":\"shop\",\"nodeName\":\"node-a\"}'
  mesh diagnostics endpoints web.demo --controller 127.0.1.250")]
pub(crate) struct Args {
    /// Names of services: NAME.NAMESPACE[.svc.DOMAIN][:PORT], port 80 if none is given
    #[arg(required = true, value_name = "AUTHORITY")]
    authorities: Vec<String>,
    /// Who asks, as its proxy would say it: the answer may depend on its node's zone
    #[arg(long, value_name = "JSON", default_value = "")]
    token: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: output::Format,
    #[command(flatten)]
    controller: ControllerArgs,
}

/// One endpoint of one service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    authority: String,
    namespace: String,
    service: String,
    #[serde(flatten)]
    endpoint: view::Endpoint,
}

pub(super) async fn run(args: &Args) -> Result<(), DiagnosticsError> {
    let controller = args.controller.find().await?;
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for authority in &args.authorities {
        match ask(&controller, authority, &args.token).await {
            Ok(found) => {
                if found.is_empty() {
                    eprintln!(
                        "{authority}: the service has no endpoints: no pod that it selects is ready"
                    );
                }
                all.extend(found);
            }
            Err(error) => errors.push(error),
        }
    }
    if !all.is_empty() || args.output != output::Format::Table {
        output::print(&args.output.print(&all, |rows| text(rows)));
    }
    summary(errors, args.authorities.len())
}

/// One error as it is; of several each is told here.
fn summary(mut errors: Vec<DiagnosticsError>, all: usize) -> Result<(), DiagnosticsError> {
    match errors.len() {
        0 => Ok(()),
        1 => Err(errors.remove(0)),
        failed => {
            errors.iter().for_each(|error| eprintln!("mesh: {error}"));
            Err(DiagnosticsError::Some { failed, all })
        }
    }
}

async fn ask(
    controller: &Controller,
    authority: &str,
    token: &str,
) -> Result<Vec<Row>, DiagnosticsError> {
    let channel = controller.channel(Service::Destination).await?;
    let request = GetDestination {
        scheme: String::new(),
        path: authority.to_owned(),
        context_token: token.to_owned(),
    };
    let mut client = DestinationClient::new(channel);
    let answer = async { first(client.get(request).await).await };
    let update = controller
        .answer(authority, Service::Destination, answer)
        .await?;
    Ok(rows(authority, &update))
}

/// The endpoints of a first message, by address.
fn rows(authority: &str, update: &Update) -> Vec<Row> {
    let Some(Kind::Add(set)) = &update.update else {
        return Vec::new();
    };
    let row = |addr| Row {
        authority: authority.to_owned(),
        namespace: label(&set.metric_labels, "namespace"),
        service: label(&set.metric_labels, "service"),
        endpoint: view::Endpoint::of(addr),
    };
    let mut rows: Vec<_> = set.addrs.iter().map(row).collect();
    rows.sort_by(|a, b| {
        let key = |row: &Row| {
            (
                row.endpoint.ip.parse::<std::net::IpAddr>().ok(),
                row.endpoint.port,
            )
        };
        key(a).cmp(&key(b))
    });
    rows
}

fn text(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let endpoint = &row.endpoint;
        let zone = match (endpoint.zone.as_str(), endpoint.zone_locality.as_str()) {
            (zone, "") => zone.to_owned(),
            (zone, locality) => format!("{zone} ({locality})"),
        };
        [
            row.namespace.clone(),
            row.service.clone(),
            endpoint.ip.clone(),
            endpoint.port.to_string(),
            endpoint.pod.clone(),
            zone,
            endpoint.weight.to_string(),
            endpoint.protocol_hint.unwrap_or_default().to_owned(),
            endpoint.identity.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = rows.iter().map(cells).collect();
    table(
        [
            "NAMESPACE",
            "SERVICE",
            "IP",
            "PORT",
            "POD",
            "ZONE",
            "WEIGHT",
            "HINT",
            "IDENTITY",
        ],
        &rows,
    )
}
