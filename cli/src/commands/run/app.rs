//! `mesh run app`.

use std::net::SocketAddr;
use std::time::Duration;

use super::log;
use crate::commands::runtime;
use crate::local::app::behaviour::Settings;
use crate::local::app::{self, App, Behaviour};

/// Settings of a replica.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name told in the header x-replica
    #[arg(long)]
    name: String,
    /// Address to serve HTTP/1.1 and gRPC on; may be given more than once
    #[arg(long, required = true)]
    listen: Vec<SocketAddr>,
    /// The least time that a request takes
    #[arg(long, default_value = "1ms", value_parser = humantime::parse_duration)]
    base: Duration,
    /// Mean of the exponential time on top of it
    #[arg(long, default_value = "1ms", value_parser = humantime::parse_duration)]
    tail: Duration,
    /// Fraction of requests that fail, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    failure_rate: f64,
    /// Seed of the latencies and failures
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) fn run(args: Args) -> Result<(), String> {
    log();
    let Args {
        name,
        listen,
        base,
        tail,
        failure_rate,
        seed,
    } = args;
    let behaviour = Behaviour::new(Settings {
        base,
        tail,
        failure_rate,
        seed,
    });
    let app = App::new(&name, behaviour)
        .ok_or_else(|| format!("--name {name:?} cannot stand in a header"))?;
    let runtime = runtime().map_err(|error| error.to_string())?;
    runtime
        .block_on(app::run(app, &listen))
        .map_err(|error| error.to_string())
}
