//! `mesh demo`: a whole mesh on one machine, under load, with a verdict.
//!
//! The processes are real (this binary again, one each for the control plane, every proxy and every application), so what is measured
//! is what a mesh costs; only the load runs in the demo's own process, as the client's program. The steps are the methods of [`Session`]:
//! check the ports, make identities and manifests, start everything, load it under each policy, read the proxies' metrics, stop.

use std::io::Write as _;
use std::time::Duration;

mod measure;
mod metrics;
mod report;

use crate::local::{
    Certificates, LocalError, Network, Policy, ReplicaSettings, Session, Settings, Topology, port,
    progress,
};
use report::{Report, Setting};

/// The replica that answers 40 ms later than the others.
const SLOW_REPLICA: u8 = 3;
/// What it adds to every answer.
const SLOW_BY: Duration = Duration::from_millis(40);
/// The replica that fails some of its requests, and fails them fast.
const FAILING_REPLICA: u8 = 4;
/// Fraction of its requests that it fails.
const FAILURE_RATE: f64 = 0.04;

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
pub(crate) async fn run(options: &Options) -> Result<(), LocalError> {
    let mut session = Session::create(settings(options)?)?;
    let result = perform(&mut session, options).await;
    session.close(result).await
}

fn settings(options: &Options) -> Result<Settings, LocalError> {
    Ok(Settings {
        topology: Topology::new(options.network),
        program: std::env::current_exe().map_err(|source| LocalError::Start {
            name: "mesh".to_owned(),
            program: "/proc/self/exe".into(),
            source,
        })?,
        policy: Policy::ALL[0],
        replica,
        certificates: Certificates::default(),
        // The demo is over when it is over: nobody waits two minutes for a drain.
        grace_period: Duration::from_secs(2),
    })
}

/// What a replica does with its requests: most are fine.
fn replica(index: u8) -> ReplicaSettings {
    let base = Duration::from_millis(1);
    ReplicaSettings {
        base: if index == SLOW_REPLICA {
            base + SLOW_BY
        } else {
            base
        },
        tail: Duration::from_millis(1),
        failure_rate: if index == FAILING_REPLICA {
            FAILURE_RATE
        } else {
            0.0
        },
        seed: index.into(),
    }
}

async fn perform(session: &mut Session, options: &Options) -> Result<(), LocalError> {
    session.start().await?;
    let report = measure::measure(session, options).await?;
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
    let (mesh, folder) = (
        session.settings().program.display(),
        session.folder().display(),
    );
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
