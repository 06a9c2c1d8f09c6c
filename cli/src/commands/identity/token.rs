//! `mesh identity token`.

use std::path::PathBuf;
use std::time::Duration;

use mesh_identity::IdentityName;
use mesh_identity::token::AUDIENCE;
use mesh_identity::token::local::{LocalTokenKey, TOKEN_KEY, TOKEN_PUBLIC_KEY};

use super::IdentityError;

/// Sign a token with which a workload outside Kubernetes gets its certificate
///
/// The token goes to standard output: put it in the file that MESH_PROXY_IDENTITY_TOKEN_FILE names, readable by that workload alone.
/// The first call makes token.key and token.pub in the directory.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh identity token --dir ./identity -n shop web > web.token
  mesh identity token --dir ./identity -n shop web --lifetime 30d --audience identity.l5d.io")]
pub(crate) struct Args {
    /// Service account of the workload
    #[arg(value_name = "SERVICE-ACCOUNT")]
    service_account: String,
    /// Namespace of the workload
    #[arg(long, short, default_value = "default")]
    namespace: String,
    /// Directory with the token key
    #[arg(long, value_name = "DIR", default_value = "identity")]
    dir: PathBuf,
    /// Who the token is for, as mesh-identity expects it
    #[arg(long, default_value = AUDIENCE)]
    audience: String,
    /// How long the token can be used
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = humantime::parse_duration)]
    lifetime: Duration,
}

/// The token, with a line break.
pub(super) fn run(args: &Args) -> Result<String, IdentityError> {
    // A name that no certificate could carry is refused now rather than by the service.
    IdentityName::new(
        &args.service_account,
        &args.namespace,
        "mesh",
        "cluster.local",
    )?;
    let path = args.dir.join(TOKEN_KEY);
    let key = if path.exists() {
        LocalTokenKey::load(&path)?
    } else {
        eprintln!(
            "Wrote {TOKEN_KEY}, {TOKEN_PUBLIC_KEY} to {}",
            args.dir.display()
        );
        LocalTokenKey::create(&args.dir)?
    };
    Ok(key.sign(
        &args.namespace,
        &args.service_account,
        &args.audience,
        args.lifetime,
    )? + "\n")
}
