//! The identity service as a process: flags and environment in, exit code out.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, ValueEnum};
use mesh_identity::issuer::{IssuerFiles, Validity};
use mesh_identity::kubernetes::{self, Access};
use mesh_identity::server::{self, Config, Limits, Tokens};
use mesh_identity::service::Mesh;
use mesh_identity::{ca, metrics, token, trust};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Signs short-lived certificates for the workloads of a mesh.
///
/// Reads `ca.crt`, `issuer.crt`, `issuer.key` and `token.pub` from one directory
/// unless told otherwise; the first three are read again when they change. A
/// Secret of cert-manager, mounted there, works too: `tls.crt` and `tls.key`.
#[derive(Parser)]
#[command(name = "mesh-identity", version, after_help = EXAMPLES)]
struct Args {
    /// Directory with ca.crt, issuer.crt, issuer.key and token.pub
    #[arg(
        long,
        env = "MESH_IDENTITY_DIR",
        value_name = "DIR",
        default_value = "."
    )]
    dir: PathBuf,

    /// Trust anchors (PEM), if not DIR/ca.crt
    #[arg(long, env = "MESH_IDENTITY_TRUST_ANCHORS_FILE", value_name = "FILE")]
    trust_anchors: Option<PathBuf>,

    /// Issuer certificate (PEM, intermediates after it), if not DIR/issuer.crt
    /// or DIR/tls.crt
    #[arg(long, env = "MESH_IDENTITY_ISSUER_CERTIFICATE", value_name = "FILE")]
    issuer_certificate: Option<PathBuf>,

    /// Issuer private key (PEM), if not DIR/issuer.key or DIR/tls.key
    #[arg(long, env = "MESH_IDENTITY_ISSUER_KEY", value_name = "FILE")]
    issuer_key: Option<PathBuf>,

    /// Which tokens workloads show
    #[arg(
        long,
        env = "MESH_IDENTITY_TOKENS",
        value_name = "KIND",
        default_value = "local"
    )]
    tokens: TokenKind,

    /// Kubeconfig for --tokens kubernetes, if not KUBECONFIG, ~/.kube/config or
    /// the pod's service account
    #[arg(long, env = "MESH_IDENTITY_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig, if not its current one
    #[arg(long, env = "MESH_IDENTITY_KUBE_CONTEXT", value_name = "NAME")]
    kube_context: Option<String>,

    /// Public key of local tokens (PEM), if not DIR/token.pub
    #[arg(long, env = "MESH_IDENTITY_TOKEN_KEY", value_name = "FILE")]
    token_key: Option<PathBuf>,

    /// Audiences of which a token must have one
    #[arg(long, env = "MESH_IDENTITY_AUDIENCES", value_delimiter = ',', default_value = token::AUDIENCE)]
    audiences: Vec<String>,

    /// Trust domain of the mesh
    #[arg(
        long,
        env = "MESH_IDENTITY_TRUST_DOMAIN",
        default_value = "cluster.local"
    )]
    trust_domain: String,

    /// Namespace of the control plane
    #[arg(long, env = "MESH_IDENTITY_NAMESPACE", default_value = "mesh")]
    namespace: String,

    /// Service account of this process, for its own certificate
    #[arg(
        long,
        env = "MESH_IDENTITY_SERVICE_ACCOUNT",
        default_value = "mesh-identity"
    )]
    service_account: String,

    /// Where workloads ask for certificates
    #[arg(
        long,
        env = "MESH_IDENTITY_LISTEN_ADDR",
        default_value = "0.0.0.0:8080"
    )]
    listen: SocketAddr,

    /// Where /live, /ready and /metrics are served
    #[arg(long, env = "MESH_IDENTITY_ADMIN_ADDR", default_value = "0.0.0.0:9990")]
    admin: SocketAddr,

    /// Life of certificates, in seconds
    #[arg(long, env = "MESH_IDENTITY_LIFETIME_SECONDS", default_value = "86400", value_parser = clap::value_parser!(u64).range(10..=31_536_000))]
    lifetime_seconds: u64,

    /// Difference between clocks that certificates allow for, in seconds
    #[arg(long, env = "MESH_IDENTITY_CLOCK_SKEW_SECONDS", default_value = "20", value_parser = clap::value_parser!(u64).range(0..=3600))]
    clock_skew_seconds: u64,

    /// Time for open requests after SIGTERM, in seconds
    #[arg(long, env = "MESH_IDENTITY_GRACE_SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(0..=3600))]
    grace_seconds: u64,

    /// Logs at this level and above: error, warn, info, debug, trace
    #[arg(long, env = "MESH_IDENTITY_LOG", default_value = "info")]
    log: tracing::Level,
}

#[derive(Clone, Copy, ValueEnum)]
enum TokenKind {
    /// Made by `mesh identity token`
    Local,
    /// Of service accounts, judged by the Kubernetes API server (TokenReview)
    Kubernetes,
}

const EXAMPLES: &str = "\
Examples:
  mesh identity ca --dir ./identity      make a root and an issuer
  mesh-identity --dir ./identity --listen 127.0.0.1:8080 --admin 127.0.0.1:9990
  mesh-identity --dir ./identity --audiences identity.mesh.dev,identity.l5d.io
  mesh-identity --tokens kubernetes --dir /issuer --trust-anchors /anchors/ca.crt

Exit status: 0 after SIGTERM or SIGINT, 1 when it can't start or serve, 2 for bad flags.";

fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| refuse(&error));
    let text = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(text)
        .with(kubernetes::log_filter(args.log.into()))
        .init();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mesh-identity: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Clap names the flag of a bad value; whoever set the variable looks for that.
fn refuse(error: &clap::Error) -> ! {
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.split(' ').next().unwrap_or_default(),
        _ => "",
    };
    let command = Args::command();
    let variable = command
        .get_arguments()
        .find(|arg| {
            arg.get_long()
                .is_some_and(|long| flag.strip_prefix("--") == Some(long))
        })
        .and_then(|arg| arg.get_env());
    if let Some(variable) = variable.filter(|name| std::env::var_os(name).is_some()) {
        eprintln!(
            "note: {} is set and gives {flag} its value",
            variable.display()
        );
    }
    error.exit()
}

fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(server::run(args.into_config(), shutdown).await?)
    })
}

impl Args {
    fn into_config(self) -> Config {
        let dir = self.dir;
        let or = |file: Option<PathBuf>, name: &str| file.unwrap_or_else(|| dir.join(name));
        let issuer = IssuerFiles::in_directory(&dir);
        let tokens = match self.tokens {
            TokenKind::Local => Tokens::Local(or(self.token_key, token::local::TOKEN_PUBLIC_KEY)),
            TokenKind::Kubernetes => Tokens::Kubernetes(Access {
                kubeconfig: self.kubeconfig,
                context: self.kube_context,
            }),
        };
        Config {
            listen: self.listen,
            admin: self.admin,
            trust_anchors: or(self.trust_anchors, ca::TRUST_ANCHORS),
            issuer: IssuerFiles {
                certificate: self.issuer_certificate.unwrap_or(issuer.certificate),
                key: self.issuer_key.unwrap_or(issuer.key),
            },
            tokens,
            audiences: self.audiences,
            mesh: Mesh {
                namespace: self.namespace,
                trust_domain: self.trust_domain,
            },
            service_account: self.service_account,
            validity: Validity {
                lifetime: Duration::from_secs(self.lifetime_seconds),
                clock_skew: Duration::from_secs(self.clock_skew_seconds),
            },
            poll_interval: trust::POLL_INTERVAL,
            grace_period: Duration::from_secs(self.grace_seconds),
            limits: Limits::default(),
            metrics: metrics::install(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_well_formed() {
        Args::command().debug_assert();
    }

    /// docs/config.md has a row for each flag, with its variable and default.
    #[test]
    fn the_documentation_lists_every_flag() {
        let documented = include_str!("../../docs/config.md");
        for flag in Args::command().get_arguments() {
            let (Some(name), Some(variable)) = (flag.get_long(), flag.get_env()) else {
                continue;
            };
            let default = flag.get_default_values().first();
            let default = default.map(|value| format!("`{}`", value.display()));
            let start = format!(
                "| --{name} | `{}` | {} | ",
                variable.display(),
                default.unwrap_or_default()
            );
            assert!(documented.contains(&start), "no row {start}");
        }
    }

    #[test]
    fn tokens_are_local_unless_told_otherwise() {
        let tokens = |flags: &[&str]| {
            let flags = ["mesh-identity"].iter().chain(flags);
            Args::try_parse_from(flags).unwrap().into_config().tokens
        };
        let local = tokens(&["--dir", "d"]);
        assert!(matches!(local, Tokens::Local(key) if key.ends_with("d/token.pub")));
        let judged = tokens(&["--tokens", "kubernetes", "--kubeconfig", "k"]);
        assert!(matches!(judged, Tokens::Kubernetes(access) if access.kubeconfig.is_some()));
    }
}
