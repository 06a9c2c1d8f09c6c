//! `mesh run identity`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mesh_identity::issuer::{IssuerFiles, Validity};
use mesh_identity::server::{self, Config, Limits, Tokens};
use mesh_identity::service::Mesh;
use mesh_identity::token::{AUDIENCE, local};
use mesh_identity::{ca, metrics, trust};

use super::{asked_to_stop, log};
use crate::commands::runtime;
use crate::local::{MESH_NAMESPACE, TRUST_DOMAIN};

/// Settings of the identity service; everything else is as the binary `mesh-identity` has it by default.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Directory with ca.crt, issuer.crt, issuer.key and token.pub
    #[arg(long)]
    dir: PathBuf,
    /// Where workloads ask for certificates
    #[arg(long)]
    listen: SocketAddr,
    /// Where /live, /ready and /metrics are served
    #[arg(long)]
    admin: SocketAddr,
    /// How long a certificate is good for
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration)]
    lifetime: Duration,
    /// Added before and after, for clocks that differ
    #[arg(long, default_value = "20s", value_parser = humantime::parse_duration)]
    clock_skew: Duration,
}

pub(super) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    log();
    runtime()?.block_on(async { Ok(server::run(config(args), asked_to_stop()?).await?) })
}

fn config(args: Args) -> Config {
    let file = |name| args.dir.join(name);
    Config {
        listen: args.listen,
        admin: args.admin,
        trust_anchors: file(ca::TRUST_ANCHORS),
        issuer: IssuerFiles {
            certificate: file(ca::ISSUER_CERTIFICATE),
            key: file(ca::ISSUER_KEY),
        },
        tokens: Tokens::Local(file(local::TOKEN_PUBLIC_KEY)),
        audiences: vec![AUDIENCE.to_owned()],
        mesh: Mesh {
            namespace: MESH_NAMESPACE.to_owned(),
            trust_domain: TRUST_DOMAIN.to_owned(),
        },
        service_account: "mesh-identity".to_owned(),
        validity: Validity {
            lifetime: args.lifetime,
            clock_skew: args.clock_skew,
        },
        poll_interval: trust::POLL_INTERVAL,
        grace_period: Duration::from_secs(1),
        limits: Limits::default(),
        metrics: metrics::install(),
    }
}
