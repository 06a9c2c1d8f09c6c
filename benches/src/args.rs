//! The command line, and what it comes to.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::case::Case;
use crate::peers::{self, Peer};

const FULL: &[&str] = &[
    "http1-100b-32c-max",
    "http1-100b-16c-1000rps",
    "http1-100b-16c-4000rps",
    "http1-0b-1c-max",
    "http1-10kb-32c-max",
    "http1-1mb-8c-max",
    "http1-100b-512c-max",
    "http1-100b-1000c-max",
    "http1-100b-32c-churn-max",
    "http2-100b-4c50s-max",
    "http2-100b-4c50s-2000rps",
    "grpc-4c50s-max",
    "grpc-4c50s-2000rps",
    "tcp-1c-max",
    "tcp-100b-1c-max",
];
const QUICK: &[&str] = &[
    "http1-100b-32c-max",
    "http1-100b-16c-1000rps",
    "grpc-4c50s-max",
    "grpc-4c50s-2000rps",
    "tcp-1c-max",
];
const SMOKE: &[&str] = &[
    "http1-100b-16c-500rps",
    "http1-100b-8c-churn-max",
    "http2-100b-2c10s-max",
    "grpc-2c10s-200rps",
    "tcp-1c-max",
    "tcp-100b-1c-max",
];

/// Measures what two hops with interception and mutual TLS cost: with this mesh, with other proxies, without any.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "bench",
    after_help = "Exit status: 0 success, 1 a request failed or the run did, 2 wrong usage."
)]
pub struct Args {
    /// The main cases only, in under 3 minutes
    #[arg(long, conflicts_with = "smoke")]
    pub quick: bool,
    /// A moment of everything: does the harness work? Its figures mean nothing
    #[arg(long)]
    pub smoke: bool,
    /// Only cases whose name has TEXT in it; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// Another case, such as http1-10kb-64c-2000rps, instead of the list; may be repeated
    #[arg(long = "case", value_name = "CASE")]
    pub cases: Vec<Case>,
    /// Only these peers
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PEER,...")]
    pub peers: Vec<Peer>,
    /// How often each case is measured with each peer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub repetitions: Option<u32>,
    /// How long each time
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub window: Option<Duration>,
    /// Leave out start-up time and memory
    #[arg(long)]
    pub no_footprint: bool,
    /// Count instructions per request too, by valgrind
    #[arg(long)]
    pub instructions: bool,
    /// Write the list of results there as well
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Where the folder of this run is made
    #[arg(long, value_name = "FOLDER", default_value = "benches/results")]
    pub results: PathBuf,
}

/// What a run does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is measured.
    pub cases: Vec<Case>,
    /// Who is asked for; not all need be there.
    pub peers: Vec<Peer>,
    /// How often.
    pub repetitions: u32,
    /// Before anything counts, each time.
    pub warmup: Duration,
    /// What counts, each time.
    pub window: Duration,
    /// For memory, connections at a time; none without.
    pub footprint: Vec<usize>,
    /// Whether instructions are counted.
    pub instructions: bool,
}

impl Args {
    /// What these arguments come to.
    ///
    /// # Errors
    /// When nothing would be measured, in words for the user.
    pub fn settings(&self) -> Result<Settings, String> {
        let (list, repetitions, millis, footprint): (_, _, _, &[usize]) = if self.smoke {
            (SMOKE, 1, 300, &[16])
        } else if self.quick {
            (QUICK, 2, 1000, &[16, 512])
        } else {
            (FULL, 3, 3000, &[16, 512, 4096])
        };
        let window = self.window.unwrap_or(Duration::from_millis(millis));
        let footprint = if self.no_footprint { &[] } else { footprint };
        Ok(Settings {
            cases: self.chosen(list)?,
            peers: if self.peers.is_empty() {
                Peer::ALL.into()
            } else {
                self.peers.clone()
            },
            repetitions: self.repetitions.unwrap_or(repetitions),
            warmup: (window / 5).clamp(Duration::from_millis(200), Duration::from_secs(1)),
            window,
            footprint: footprint.into(),
            instructions: self.instructions,
        })
    }

    fn chosen(&self, list: &[&str]) -> Result<Vec<Case>, String> {
        let mut cases = self.cases.clone();
        if cases.is_empty() {
            let parsed = list.iter().map(|name| name.parse());
            let parsed: Result<Vec<Case>, _> = parsed.collect();
            cases = parsed.map_err(|error| error.to_string())?;
        }
        if !self.filter.is_empty() {
            cases.retain(|case| {
                let name = case.to_string();
                self.filter.iter().any(|text| name.contains(text))
            });
        }
        if cases.is_empty() {
            return Err(format!(
                "no case has {} in its name",
                self.filter.join(" or ")
            ));
        }
        match cases.iter().find(|case| !peers::serves(case)) {
            Some(case) => Err(format!("{case}: nginx has bodies of {}", peers::SIZES)),
            None => Ok(cases),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_is_of_cases_that_can_be_measured() {
        for arguments in [
            vec!["bench"],
            vec!["bench", "--quick"],
            vec!["bench", "--smoke"],
        ] {
            let settings = Args::parse_from(arguments).settings().unwrap();
            assert!(!settings.cases.is_empty());
        }
        let filtered = Args::parse_from(["bench", "--filter", "grpc"]).settings();
        assert_eq!(filtered.unwrap().cases.len(), 2);
        assert!(
            Args::parse_from(["bench", "--filter", "nothing"])
                .settings()
                .is_err()
        );
        assert!(
            Args::parse_from(["bench", "--case", "http1-5b-1c-max"])
                .settings()
                .is_err()
        );
    }
}
