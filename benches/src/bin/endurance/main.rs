//! Is anything dropped? Real processes, real load, and one part after the other taken away.
//!
//! Each scenario starts a mesh of its own (a control plane, a client and five replicas, each behind its proxy, all processes of the
//! `mesh` binary), puts a steady open-loop load on it, half HTTP/1.1 and half gRPC, and does to it what happens to a mesh in
//! production. A request that fails is a failure of the run: there are no retries in the client, and the application never fails.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, value_parser};
use mesh::local::{Network, progress};

mod background;
mod error;
mod report;
mod run;
mod scenario;

use error::EnduranceError;
use report::Report;
use scenario::{Plan, Selection};

/// Proves that the mesh drops no request whatever is taken away from it.
#[derive(Debug, Parser)]
#[command(
    name = "endurance",
    after_help = "Exit status: 0 nothing was dropped, 1 something was or the run failed, 2 wrong usage."
)]
struct Args {
    /// What to do to the mesh
    #[arg(value_enum)]
    scenario: Selection,
    /// Requests per second, half HTTP/1.1 and half gRPC
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = value_parser!(u32).range(1..=20_000))]
    rps: u32,
    /// How long an outage, or a churn, lasts [default: 30 and 60; 6 and 10 with --short]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// How long a certificate is good for when they rotate [default: 1m; 6s with --short]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    lifetime: Option<Duration>,
    /// About ten seconds for each scenario: a smoke test
    #[arg(long)]
    short: bool,
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Loopback network to use, as three octets
    #[arg(long, value_name = "A.B.C", default_value = "127.0.51")]
    network: Network,
    /// The mesh binary [default: the one beside this]
    #[arg(long, value_name = "FILE")]
    mesh: Option<PathBuf>,
    /// Keep the processes' logs, also when nothing failed
    #[arg(long)]
    keep_logs: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(report) if report.ok => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("endurance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<Report, EnduranceError> {
    let options = run::Options {
        program: program(args.mesh.clone())?,
        network: args.network,
        rps: args.rps,
        plan: plan(args),
        keep_logs: args.keep_logs,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(EnduranceError::Runtime)?;
    let mut results = Vec::new();
    for scenario in args.scenario.scenarios() {
        progress::step(&format!("\n{}: {}", scenario.name(), scenario.title()));
        let result = runtime.block_on(run::run(*scenario, &options))?;
        progress::step(&report::text(&result));
        results.push(result);
    }
    let report = Report::new(results);
    if args.json {
        let json = serde_json::to_string_pretty(&report).expect("the report has string keys only");
        println!("{json}");
    } else {
        println!("{}", report::summary(&report));
    }
    Ok(report)
}

fn plan(args: &Args) -> Plan {
    let mut plan = if args.short { Plan::SHORT } else { Plan::FULL };
    if let Some(seconds) = args.seconds.map(Duration::from_secs) {
        (plan.outage, plan.churn) = (seconds, seconds);
    }
    plan.lifetime = args.lifetime.unwrap_or(plan.lifetime);
    plan
}

/// The binary under test.
fn program(given: Option<PathBuf>) -> Result<PathBuf, EnduranceError> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("mesh"));
    let program = given.or_else(beside).unwrap_or_default();
    if program.is_file() {
        Ok(program)
    } else {
        Err(EnduranceError::NoProgram(program))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_time_given_is_used() {
        let args = Args::parse_from(["endurance", "all", "--short", "--seconds=3"]);
        assert_eq!(plan(&args).churn, Duration::from_secs(3));
        assert_eq!(plan(&args).lifetime, Plan::SHORT.lifetime);
        assert_eq!(args.scenario.scenarios().len(), 5);
    }
}
