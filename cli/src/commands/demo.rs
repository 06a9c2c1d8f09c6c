//! `mesh demo`.

use std::time::Duration;

use clap::value_parser;

use super::runtime;
use crate::demo::{self, Options};
use crate::local::{LocalError, Network};

/// Show the mesh on this machine: a client and five replicas, each behind its own proxy, under real load.
///
/// Starts a control plane, an identity for every workload, and thirteen processes on loopback addresses, without root, Docker or a
/// cluster. One replica is slow and one fails now and then. The same load runs under two balancing policies, peak-EWMA and round
/// robin, and a table says what the client saw. Everything is stopped and removed at the end.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh demo                            the table, in about 40 seconds
  mesh demo --duration 1m --rps 1000   longer and harder
  mesh demo --keep                     stay afterwards: addresses to curl, manifests to edit
  mesh demo --json | jq .policies      the same for programs (progress goes to standard error)")]
pub(crate) struct Args {
    /// Time under load for each of the two policies
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    duration: Duration,
    /// Requests per second, half of them HTTP/1.1 and half gRPC
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = value_parser!(u32).range(1..=20_000))]
    rps: u32,
    /// Leave everything running afterwards, until Ctrl-C, and print the addresses to try
    #[arg(long)]
    keep: bool,
    /// Print the result as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Loopback network to use, as three octets, when something has the ports of the default one
    #[arg(long, value_name = "A.B.C", default_value = "127.0.1")]
    network: Network,
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= Duration::from_secs(1) => Ok(duration),
        Ok(_) => Err("must be at least 1s".to_owned()),
        Err(error) => Err(format!("{error}; examples: 15s, 1m 30s")),
    }
}

impl From<Args> for Options {
    fn from(args: Args) -> Self {
        let Args {
            duration,
            rps,
            keep,
            json,
            network,
        } = args;
        Self {
            duration,
            rps,
            keep,
            json,
            network,
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), LocalError> {
    let runtime = runtime().map_err(LocalError::Signal)?;
    runtime.block_on(demo::run(&args.into()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Cli::try_parse_from(std::iter::once(&"demo").chain(args)).map(|cli| cli.args)
    }

    #[test]
    fn the_defaults_make_a_short_demo() {
        let args = parse(&[]).unwrap();
        assert_eq!((args.duration, args.rps), (Duration::from_secs(15), 400));
        assert!(!args.keep && !args.json);
    }

    #[test]
    fn every_flag_is_taken() {
        let args = parse(&[
            "--duration",
            "1m 30s",
            "--rps=50",
            "--keep",
            "--json",
            "--network",
            "127.9.9",
        ])
        .unwrap();
        assert_eq!((args.duration, args.rps), (Duration::from_secs(90), 50));
        assert!(args.keep && args.json);
        assert_eq!(args.network.to_string(), "127.9.9");
    }

    #[test]
    fn wrong_values_are_named() {
        for (args, told) in [
            (["--duration", "0s"], "must be at least 1s"),
            (["--duration", "soon"], "examples: 15s, 1m 30s"),
            (["--rps", "0"], "1..=20000"),
            (
                ["--network", "10.0.0"],
                "three octets of the loopback network",
            ),
        ] {
            let error = parse(&args).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
