//! The commands, one file each.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Subcommand;

mod check;
mod completion;
mod demo;
mod diagnostics;
mod identity;
mod inject;
mod install;
mod output;
mod prune;
mod run;
mod uninstall;
mod upgrade;
mod version;

/// What `mesh` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(Box<check::Args>),
    Completion(completion::Args),
    Demo(demo::Args),
    #[command(subcommand)]
    Diagnostics(diagnostics::Command),
    #[command(subcommand)]
    Identity(identity::Command),
    Inject(inject::Args),
    Uninject(inject::UninjectArgs),
    Install(Box<install::Args>),
    Upgrade(Box<upgrade::Args>),
    Prune(prune::Args),
    Uninstall(uninstall::Args),
    Version(version::Args),
    #[command(subcommand, hide = true)]
    Run(run::Command),
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::Check(args) => judged(check::run(&args)),
            Self::Completion(args) => completion::run(&args),
            Self::Demo(args) => finish(demo::run(args)),
            Self::Diagnostics(command) => finish(diagnostics::run(&command)),
            Self::Identity(command) => finish(identity::run(command)),
            Self::Inject(args) => finish(inject::inject(args)),
            Self::Uninject(args) => finish(inject::uninject(&args)),
            Self::Install(args) => finish(install::run(&args)),
            Self::Upgrade(args) => finish(upgrade::run(&args)),
            Self::Prune(args) => finish(prune::run(&args)),
            Self::Uninstall(args) => finish(uninstall::run(&args)),
            Self::Version(args) => finish(version::run(&args)),
            Self::Run(command) => run::run(command),
        }
    }
}

/// The exit status of a command, with its error on standard error.
fn finish<E: Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mesh: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The same of a command that may find something wrong, and has told it.
fn judged<E: Display>(result: Result<bool, E>) -> ExitCode {
    match result {
        Ok(false) => ExitCode::FAILURE,
        other => finish(other.map(drop)),
    }
}

/// The runtime of a command: one thread, as the proxies have.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
