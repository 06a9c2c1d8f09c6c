//! The proxy as a process: settings, log, threads, signals, exit codes.
//!
//! The data path runs on one `current_thread` runtime, since a sidecar has a
//! fraction of a core; `CORES` gives it more threads (see `app/workers.rs`). Admin
//! has one of its own (see `admin`).

use crate::{
    admin::{self, Admin, Readiness, Shutdown},
    app::{App, AppError},
    config::{self, Config},
    drain::Drained,
    log,
    metrics::Metrics,
};
use std::{future::pending, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};

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

Options:
  -h, --help     print this
  -V, --version  print the version
";

/// sysexits.h: the command was used wrongly, or the configuration is wrong.
const EX_USAGE: u8 = 64;
const EX_CONFIG: u8 = 78;

/// Runs a proxy as the environment says, until it is told to stop.
pub fn main_from_env() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => run_from_env(),
        Some("-h" | "--help") => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some("-V" | "--version") => {
            println!("mesh-proxy {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(other) => {
            eprintln!("mesh-proxy: unknown argument {other:?}; try --help");
            ExitCode::from(EX_USAGE)
        }
    }
}

/// As [`main_from_env`], whatever the arguments: for a binary that runs a proxy
/// under a name of its own.
pub fn run_from_env() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("mesh-proxy: {error}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mesh-proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why a proxy ended.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error("the runtime can't start: {0}")]
    Runtime(#[from] std::io::Error),
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let drained = runtime.block_on(run_app(config, metrics, log))?;
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
    let _admin = Admin::start(
        config.admin.clone(),
        admin::Parts {
            metrics: metrics.clone(),
            ready: readiness.clone(),
            log: Some(log),
            settings: config.settings.clone(),
            vars: config::process_vars(),
            shutdown: shutdown.clone(),
        },
    )?;
    let app = App::build(config, metrics)?;
    let mut ready = app.ready();
    let stop = async {
        let certified = async {
            // The sender lives as long as the app.
            let _ = ready.wait_for(|ready| *ready).await;
            certified.done();
            pending::<()>().await;
        };
        tokio::select! {
            () = signalled => {}
            () = shutdown.requested() => tracing::info!("Stopping: told by POST /shutdown"),
            () = certified => {}
        }
        readiness.stop();
    };
    Ok(app.run(stop).await?)
}

/// Resolves at SIGTERM or SIGINT.
fn signalled() -> std::io::Result<impl Future<Output = ()>> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => tracing::info!("Stopping: SIGTERM"),
            _ = int.recv() => tracing::info!("Stopping: SIGINT"),
        }
    })
}
