//! `mesh run controller`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use mesh_controller::Config;

use super::{asked_to_stop, log};
use crate::commands::runtime;

/// Settings of the controller; everything else is as the binary `mesh-controller` has it by default.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory of manifests to follow
    #[arg(long)]
    source: PathBuf,
    /// Where proxies ask for destinations
    #[arg(long)]
    destination: SocketAddr,
    /// Where proxies ask for policies
    #[arg(long)]
    policy: SocketAddr,
    /// Where /live, /ready and /metrics are served
    #[arg(long)]
    admin: SocketAddr,
}

pub(super) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    log();
    let config = config(args)?;
    runtime()?.block_on(async { Ok(mesh_controller::run(config, asked_to_stop()?).await?) })
}

fn config(args: Args) -> Result<Config, Box<dyn Error>> {
    let mut config = Config::new(args.source);
    config.destination_addr = args.destination;
    config.policy_addr = args.policy;
    config.admin_addr = args.admin;
    // The workloads of the demo are on loopback addresses.
    config.cluster_networks = vec!["127.0.0.0/8".parse()?];
    Ok(config)
}
