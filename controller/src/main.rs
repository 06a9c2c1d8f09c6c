//! The controller as a process: flags and environment in, exit status out.

#![forbid(unsafe_code)]

use mesh_controller::{Config, Flags, IdentitySource};
use std::{io::IsTerminal, process::ExitCode};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

fn main() -> ExitCode {
    let flags = Flags::of_process();
    let text = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(text)
        .with(mesh_identity::kubernetes::log_filter(flags.log.into()))
        .init();
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mesh-controller: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
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
        let identity = flags.identity();
        let mut config = Config::from(flags);
        config.credentials = identity.map(IdentitySource::start).transpose()?;
        config.metrics = mesh_controller::install_metrics();
        Ok(mesh_controller::run(config, shutdown).await?)
    })
}
