//! The mesh command line: thin on purpose, each command is a file in [`commands`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;

mod commands;
mod demo;
#[cfg(test)]
mod golden;

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

fn main() -> ExitCode {
    // clap itself ends with status 2 on wrong usage.
    Cli::parse().command.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
