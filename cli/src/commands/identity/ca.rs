//! `mesh identity ca`.

use std::path::PathBuf;
use std::time::Duration;

use mesh_identity::ca::{self, CaError, Options};

/// Make a root and an issuer that signs the certificates of workloads
///
/// Writes ca.crt (trust anchors, for every workload), issuer.crt and issuer.key (for mesh-identity alone). Existing files are never
/// overwritten. The root's key is thrown away unless asked for: a new root beside the old one is how a mesh moves on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh identity ca --dir ./identity
  mesh identity ca --dir ./identity --trust-domain example.org --issuer-lifetime 90d --keep-root-key")]
pub(crate) struct Args {
    /// Directory to write to; made when it is not there
    #[arg(long, value_name = "DIR", default_value = "identity")]
    dir: PathBuf,
    /// Trust domain, the last part of every identity
    #[arg(long, value_name = "DOMAIN", default_value = "cluster.local")]
    trust_domain: String,
    /// Life of the root
    #[arg(long, value_name = "TIME", default_value = "3650d", value_parser = humantime::parse_duration)]
    root_lifetime: Duration,
    /// Life of the issuer; no workload's certificate outlives it
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = humantime::parse_duration)]
    issuer_lifetime: Duration,
    /// Also write the root's key as ca.key, to be kept off line
    #[arg(long)]
    keep_root_key: bool,
}

pub(super) fn run(args: &Args) -> Result<(), CaError> {
    let options = Options {
        trust_domain: args.trust_domain.clone(),
        root_lifetime: args.root_lifetime,
        issuer_lifetime: args.issuer_lifetime,
        keep_root_key: args.keep_root_key,
        ..Options::default()
    };
    ca::create_root_and_issuer(&args.dir, &options)?;
    let mut files = vec![ca::TRUST_ANCHORS, ca::ISSUER_CERTIFICATE, ca::ISSUER_KEY];
    if args.keep_root_key {
        files.push(ca::ROOT_KEY);
    }
    eprintln!("Wrote {} to {}", files.join(", "), args.dir.display());
    Ok(())
}
