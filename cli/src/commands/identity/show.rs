//! `mesh identity show`.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mesh_identity::IdentityName;
use thiserror::Error;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::commands::runtime;

mod connect;
mod describe;

use connect::{ConnectError, fetch};
use describe::describe;

/// Show certificates, of files or of a running workload: names, issuer, validity
///
/// With --connect the workload's proxy is asked as another proxy would, and has to prove its identity.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh identity show identity/ca.crt identity/issuer.crt
  mesh identity show --connect 10.1.0.7:4143 --name web.shop.serviceaccount.identity.mesh.cluster.local")]
pub(crate) struct Args {
    /// PEM files, each with any number of certificates
    #[arg(required_unless_present = "connect", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Inbound address of a workload's proxy
    #[arg(long, value_name = "ADDR", requires = "name", conflicts_with = "files")]
    connect: Option<SocketAddr>,
    /// The identity that it must have
    #[arg(long, value_name = "IDENTITY", requires = "connect")]
    name: Option<IdentityName>,
    /// Trust anchors to verify it by
    #[arg(long, value_name = "FILE", default_value = "identity/ca.crt")]
    trust_anchors: PathBuf,
}

/// Why there is nothing to show.
#[derive(Debug, Error)]
pub(crate) enum ShowError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no PEM certificate", .0.display())]
    None(PathBuf),
    #[error("certificate {number} of {} cannot be parsed: {cause}", path.display())]
    Parse {
        path: PathBuf,
        number: usize,
        cause: String,
    },
    #[error("certificate {number} of {addr} cannot be parsed: {cause}")]
    Presented {
        addr: SocketAddr,
        number: usize,
        cause: String,
    },
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// The text for all files, or for the workload.
pub(super) fn run(args: &Args) -> Result<String, ShowError> {
    match (args.connect, &args.name) {
        (Some(addr), Some(name)) => workload(addr, name, &args.trust_anchors),
        _ => args.files.iter().map(|path| file(path)).collect(),
    }
}

fn workload(addr: SocketAddr, name: &IdentityName, anchors: &Path) -> Result<String, ShowError> {
    let runtime = runtime().map_err(ShowError::Runtime)?;
    let presented = runtime.block_on(fetch(addr, name, anchors))?;
    let describe_one = |(number, der): (usize, &[u8])| match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(format!("{addr} ({number})\n{}", describe(&certificate))),
        Err(error) => Err(ShowError::Presented {
            addr,
            number,
            cause: error.to_string(),
        }),
    };
    (1..)
        .zip(presented.iter().map(AsRef::as_ref))
        .map(describe_one)
        .collect()
}

fn file(path: &Path) -> Result<String, ShowError> {
    let pem = std::fs::read(path).map_err(|source| ShowError::Read {
        path: path.to_owned(),
        source,
    })?;
    let parse_error = |number, cause: String| ShowError::Parse {
        path: path.to_owned(),
        number,
        cause,
    };
    let mut text = String::new();
    let mut number = 0;
    for block in Pem::iter_from_buffer(&pem) {
        let block = block.map_err(|error| parse_error(number + 1, error.to_string()))?;
        if block.label != "CERTIFICATE" {
            continue;
        }
        number += 1;
        let certificate = block
            .parse_x509()
            .map_err(|error| parse_error(number, error.to_string()))?;
        let _ = writeln!(text, "{} ({number})", path.display());
        text += &describe(&certificate);
    }
    if text.is_empty() {
        Err(ShowError::None(path.to_owned()))
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
