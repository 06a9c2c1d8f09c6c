//! `mesh identity`: what a mesh without a cluster needs to give its workloads identities, and a look at the result.

use clap::Subcommand;
use thiserror::Error;

mod ca;
mod show;
mod token;

/// Make and look at identities: a certificate authority, tokens, certificates
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Ca(ca::Args),
    Token(token::Args),
    Show(show::Args),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub(crate) enum IdentityError {
    #[error(transparent)]
    Ca(#[from] mesh_identity::ca::CaError),
    #[error(transparent)]
    Token(#[from] mesh_identity::token::local::TokenKeyError),
    #[error(transparent)]
    Name(#[from] mesh_identity::name::NameError),
    #[error(transparent)]
    Show(#[from] show::ShowError),
}

pub(super) fn run(command: Command) -> Result<(), IdentityError> {
    match command {
        Command::Ca(args) => ca::run(&args)?,
        Command::Token(args) => print!("{}", token::run(&args)?),
        Command::Show(args) => show::run(&args)?,
    }
    Ok(())
}
