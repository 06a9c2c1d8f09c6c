//! `mesh run`: the processes of a demo, by this same binary. Hidden, because outside the demo they have binaries of their own.

use std::process::ExitCode;

use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};

use super::finish;
use crate::local::process::die_with_parent;

mod app;
mod controller;
mod identity;

/// A process of the demo.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The identity service
    Identity(identity::Args),
    /// The controller
    Controller(controller::Args),
    /// The proxy, configured by MESH_PROXY_* in the environment
    Proxy,
    /// A replica of the demo's application
    App(app::Args),
}

pub(super) fn run(command: Command) -> ExitCode {
    if let Err(error) = die_with_parent() {
        return finish(Err(error));
    }
    match command {
        Command::Identity(args) => finish(identity::run(args)),
        Command::Controller(args) => finish(controller::run(args)),
        Command::Proxy => mesh_proxy::run_from_env(),
        Command::App(args) => finish(app::run(args)),
    }
}

/// Logs of everything but the proxy, which sets up its own.
fn log() {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
}

/// Resolves when the demo asks this process to stop.
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        terminate.recv().await;
    })
}
