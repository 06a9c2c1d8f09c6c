//! `mesh run controller`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

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

pub(super) fn run(_args: Args) -> Result<(), Box<dyn Error>> {
    Err("the controller is not here yet".into())
}
