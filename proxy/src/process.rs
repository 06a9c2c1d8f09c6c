//! The proxy as a process: settings, log, threads, signals, exit codes.
//!
//! The data path runs on one `current_thread` runtime, since a sidecar has a
//! fraction of a core; `CORES` gives it more threads (see `app/workers.rs`). Admin
//! has one of its own (see `admin`).

pub(crate) mod args;
mod wait;

use self::wait::{InvalidWait, Wait};
use crate::{
    admin::{self, Admin, Readiness, Shutdown},
    app::{App, AppError},
    config::{self, Config},
    drain::Drained,
    init::{self, InitError},
    log,
    metrics::Metrics,
};
use std::{fmt::Display, future::pending, io, process::ExitCode};
use tokio::{
    runtime::{self, Runtime},
    signal::unix::{SignalKind, signal},
};

const USAGE: &str = "\
mesh-proxy: the proxy beside every workload

It is configured by the environment (MESH_PROXY_*, else LINKERD2_PROXY_*); see
docs/config.md. Inside of a pod the injector sets everything. By hand:

  MESH_PROXY_IDENTITY_LOCAL_NAME=web.shop.serviceaccount.identity.mesh.cluster.local \\
  MESH_PROXY_IDENTITY_TRUST_ANCHORS_FILE=ca.crt \\
  MESH_PROXY_IDENTITY_TOKEN_FILE=web.token \\
  MESH_PROXY_IDENTITY_SVC_ADDR=127.0.0.1:8080 \\
  MESH_PROXY_DESTINATION_SVC_ADDR=127.0.0.1:8086 \\
  MESH_PROXY_POLICY_SVC_ADDR=127.0.0.1:8090 \\
  mesh-proxy

Commands:
  await [--timeout 30s] [--port 4191]
                 wait until the proxy is ready, as ADMIN_LISTEN_ADDR tells where
                 it is; exit status 69 when it is not in time
  init [--dry-run | --check | --remove] [--incoming-proxy-port 4143]
       [--outgoing-proxy-port 4140] [--proxy-uid 2102] [--proxy-gid GID]
       [--inbound-ports-to-ignore 4190,4191] [--outbound-ports-to-ignore PORTS]
       [--ports-to-redirect PORTS] [--subnets-to-ignore NETWORKS] [--ipv6=false]
       [--timeout-close-wait-secs SECONDS]
                 have the kernel redirect this pod's connections to the proxy, by
                 nftables rules; print them, prove them, remove them. Needs the
                 capability NET_ADMIN. PORTS are as 25,9000-9002. See
                 docs/interception.md

Options:
  -h, --help     print this
  -V, --version  print the version
";

/// As sysexits.h: the proxy failed, the command was used wrongly, the proxy is not
/// ready in time or interception does not work, it is not allowed, the configuration
/// is wrong.
const EX_FAILURE: u8 = 1;
const EX_USAGE: u8 = 64;
const EX_UNAVAILABLE: u8 = 69;
const EX_NO_PERMISSION: u8 = 77;
const EX_CONFIG: u8 = 78;

/// Runs a proxy as the environment says, until it is told to stop; or does what
/// the arguments say instead. Under the name `linkerd2-proxy-init`, by which
/// Linkerd's injector starts it, it is `init`.
pub fn main_from_env() -> ExitCode {
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    if program.ends_with("proxy-init") {
        return init(args);
    }
    match args.next().as_deref() {
        None => run_from_env(),
        Some("await") => wait_from_env(args),
        Some("init") => init(args),
        Some("-h" | "--help") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some("-V" | "--version") => {
            println!("mesh-proxy {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(other) => fail(
            EX_USAGE,
            format_args!("unknown argument {other:?}; try --help"),
        ),
    }
}

/// As [`main_from_env`], whatever the arguments: for a binary that runs a proxy
/// under a name of its own.
pub fn run_from_env() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => return fail(EX_CONFIG, error),
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(EX_FAILURE, error),
    }
}

/// Waits until the proxy that has this environment is ready.
fn wait_from_env(args: impl Iterator<Item = String>) -> ExitCode {
    let wait = match Wait::parse(args, &config::process_vars()) {
        Ok(wait) => wait,
        Err(error @ InvalidWait::Argument(_)) => return fail(EX_USAGE, error),
        Err(error @ InvalidWait::Config(_)) => return fail(EX_CONFIG, error),
    };
    match runtime().map(|runtime| runtime.block_on(wait.run())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(late)) => fail(EX_UNAVAILABLE, late),
        Err(error) => fail(EX_FAILURE, RunError::Runtime(error)),
    }
}

/// Sets up interception, or what else the arguments say.
fn init(args: impl Iterator<Item = String>) -> ExitCode {
    match init::run(args) {
        Ok(done) => {
            print!("{done}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(init_status(&error), error),
    }
}

fn init_status(error: &InitError) -> u8 {
    match error {
        InitError::Options(_) => EX_USAGE,
        error if error.is_permission() => EX_NO_PERMISSION,
        InitError::Kernel(_) | InitError::Check(_) => EX_UNAVAILABLE,
        InitError::Conflict(_) | InitError::CloseWait(..) | InitError::Runtime(_) => EX_FAILURE,
    }
}

fn fail(code: u8, error: impl Display) -> ExitCode {
    eprintln!("mesh-proxy: {error}");
    ExitCode::from(code)
}

pub(crate) fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// Why a proxy ended.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error("the runtime can't start: {0}")]
    Runtime(#[from] io::Error),
    #[error("the log can't start: {0}")]
    Log(#[from] tracing_subscriber::util::TryInitError),
    #[error(transparent)]
    Admin(#[from] admin::StartError),
}

fn run(config: Config) -> Result<(), RunError> {
    let log = log::init(&config.log)?;
    for name in &config.unknown {
        tracing::warn!(%name, "Unknown setting; see docs/config.md");
    }
    let metrics = Metrics::new(config.metrics);
    let drained = runtime()?.block_on(run_app(config, metrics, log))?;
    if let Drained::Forced { remaining } = drained {
        tracing::warn!(remaining, "Connections closed by force");
    }
    Ok(())
}

async fn run_app(config: Config, metrics: Metrics, log: log::Handle) -> Result<Drained, RunError> {
    let signalled = signalled()?;
    let readiness = Readiness::default();
    let certified = readiness.wait_for("the first certificate of the identity service");
    let shutdown = Shutdown::default();
    let parts = admin::Parts {
        metrics: metrics.clone(),
        ready: readiness.clone(),
        log: Some(log),
        settings: config.settings.clone(),
        vars: config::process_vars(),
        shutdown: shutdown.clone(),
    };
    let _admin = Admin::start(config.admin.clone(), parts)?;
    let app = App::build(config, metrics)?;
    let mut has_certificate = app.ready();
    let becoming_ready = async {
        // The sender lives as long as the app.
        let _ = has_certificate.wait_for(|has| *has).await;
        certified.done();
        pending::<()>().await;
    };
    let stop = async {
        tokio::select! {
            () = signalled => {}
            () = shutdown.requested() => tracing::info!("Stopping: told by POST /shutdown"),
            () = becoming_ready => {}
        }
        readiness.stop();
    };
    Ok(app.run(stop).await?)
}

/// Resolves at SIGTERM or SIGINT.
fn signalled() -> io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => tracing::info!("Stopping: SIGTERM"),
            _ = int.recv() => tracing::info!("Stopping: SIGINT"),
        }
    })
}
