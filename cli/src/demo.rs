//! `mesh demo`: a whole mesh on one machine, under load, with a verdict.
//!
//! The processes are real (this binary again, one each for the control plane, every proxy and every application), so what is measured
//! is what a mesh costs; only the load runs in the demo's own process, as the client's program. The steps are the methods of [`Session`]:
//! check the ports, make identities and manifests, start everything, load it under each policy, read the proxies' metrics, stop.

use std::io::Write as _;
use std::time::Duration;

pub(crate) mod app;
pub(crate) mod error;
mod http_get;
mod identities;
mod load;
mod manifests;
mod measure;
mod memory;
mod metrics;
mod policy;
mod ports;
pub(crate) mod process;
mod progress;
mod proxy_env;
mod ready;
mod report;
mod session;
mod specs;
pub(crate) mod topology;

use error::DemoError;
use report::{Report, Setting};
use session::Session;
use specs::{FAILURE_RATE, SLOW_BY};
use topology::{Network, Topology, port};

/// How to run the demo.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Time under load for each policy.
    pub(crate) duration: Duration,
    pub(crate) rps: u32,
    /// Stay until Ctrl-C after the report.
    pub(crate) keep: bool,
    /// Report as JSON.
    pub(crate) json: bool,
    pub(crate) network: Network,
}

/// Runs the demo and prints its report.
///
/// # Errors
/// Whatever ended it early, Ctrl-C included; everything has been stopped by then, and the logs are kept where they explain it.
pub(crate) async fn run(options: &Options) -> Result<(), DemoError> {
    let topology = Topology::new(options.network);
    ports::check(topology)?;
    let mut session = Session::create(topology)?;
    let result = perform(&mut session, options).await;
    session.close(result).await
}

async fn perform(session: &mut Session, options: &Options) -> Result<(), DemoError> {
    session.start().await?;
    let report = session.measure(options).await?;
    print(&report, options);
    if options.keep {
        progress::step(&invitation(session));
        session.wait_for_interrupt().await?;
    }
    Ok(())
}

fn print(report: &Report, options: &Options) {
    let text = if options.json {
        serde_json::to_string_pretty(report).expect("the report has string keys only") + "\n"
    } else {
        let setting = Setting {
            duration: options.duration,
            rps: options.rps,
            slow_by: SLOW_BY,
            failure_rate: FAILURE_RATE,
        };
        report::render(report, setting)
    };
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn invitation(session: &Session) -> String {
    let client = session.topology().client();
    let (proxy, admin) = (client.addr(port::OUTBOUND), client.addr(port::ADMIN));
    let (mesh, folder) = (session.program().display(), session.folder().display());
    format!(
        "\nEverything is still running. Try, in another terminal:\n\
         \n  a request through the client's proxy\n    curl -x http://{proxy} http://web.demo/\
         \n  what that proxy counted\n    curl -s http://{admin}/metrics | grep response_total\
         \n  that proxy's certificate\n    {mesh} identity show --connect {inbound} --name {name} --trust-anchors {folder}/identity/ca.crt\
         \n  another policy, in force as soon as the file is saved\n    $EDITOR {folder}/manifests/service.yaml\n\
         \nLogs are in {folder}/logs. Ctrl-C stops and removes everything.",
        inbound = client.addr(port::INBOUND),
        name = client.identity(),
    )
}

/// The arguments of one process of each kind.
#[cfg(test)]
pub(crate) fn child_arguments(dir: &std::path::Path) -> Vec<Vec<std::ffi::OsString>> {
    let topology = Topology::new("127.0.1".parse().unwrap());
    let identities = identities::Identities::create(dir, topology).unwrap();
    let client = topology.client();
    let specs = [
        specs::identity(topology, &identities),
        specs::controller(topology, dir),
        specs::app(topology::SLOW_REPLICA, &client),
        specs::proxy(topology, &client, &identities),
    ];
    specs.map(|spec| spec.args).into()
}
