//! The mesh command line: thin on purpose, each command is a file in `commands`. What runs a mesh on this machine is in [`local`],
//! public because the benches run one as well.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

mod causes;
mod check;
mod cluster;
mod commands;
mod demo;
#[cfg(test)]
mod golden;
mod inject;
mod install;
pub mod local;
mod manifest;
mod presented;
mod prometheus;

/// A lightweight service mesh: mutual TLS, latency-aware balancing and golden metrics for programs that know nothing of it.
#[derive(Debug, Parser)]
#[command(
    name = "mesh",
    version,
    after_help = "Exit status: 0 success, 1 failure, 2 wrong usage."
)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

/// The whole command line, for its completion.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// What the `mesh` binary does.
pub fn main() -> ExitCode {
    // clap itself ends with status 2 on wrong usage.
    Cli::parse().command.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_processes_are_started_with_arguments_that_are_understood() {
        let dir = tempfile::tempdir().unwrap();
        for args in local::child_arguments(dir.path()) {
            let line = std::iter::once("mesh".into()).chain(args);
            assert!(matches!(
                Cli::try_parse_from(line).unwrap().command,
                commands::Command::Run(_)
            ));
        }
    }
}
