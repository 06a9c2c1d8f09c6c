//! `mesh identity show`.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mesh_identity::IdentityName;
use thiserror::Error;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::cluster::{ClusterArgs, ClusterError, Resource};
use crate::commands::runtime;

mod connect;
mod describe;
mod pods;
mod witness;

use connect::{ConnectError, fetch};
use describe::describe;

/// Where `mesh identity ca` puts them.
const TRUST_ANCHORS: &str = "identity/ca.crt";

/// Show certificates, of files, of pods or of any running workload: names, issuer, validity
///
/// Pods are asked through a port-forward to their proxies, and what they show is verified by the mesh's trust bundle. With --connect a
/// proxy is asked as another proxy would, and has to prove its identity. Status 1 when one does not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh identity show identity/ca.crt identity/issuer.crt
  mesh identity show -n shop pod/web-0
  mesh identity show -n shop deploy/web
  mesh identity show -n shop -l app=web
  mesh identity show --connect 10.1.0.7:4143 --name web.shop.serviceaccount.identity.mesh.cluster.local")]
pub(crate) struct Args {
    /// PEM files, each with any number of certificates; or pods, as pod/NAME, deploy/NAME, svc/NAME (with -n NAME alone is a pod's)
    #[arg(required_unless_present_any = ["connect", "selector"], value_name = "FILE|KIND/NAME")]
    subjects: Vec<String>,
    /// Namespace of pods, if not the context's
    #[arg(short, long, value_name = "NAME", conflicts_with = "connect")]
    namespace: Option<String>,
    /// Pods with these labels
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with_all = ["connect", "subjects"])]
    selector: Option<String>,
    /// Inbound address of a workload's proxy
    #[arg(
        long,
        value_name = "ADDR",
        requires = "name",
        conflicts_with = "subjects"
    )]
    connect: Option<SocketAddr>,
    /// The identity that it must have
    #[arg(long, value_name = "IDENTITY", requires = "connect")]
    name: Option<IdentityName>,
    /// Trust anchors to verify by [default: for pods the mesh's own, else identity/ca.crt]
    #[arg(long, value_name = "FILE")]
    trust_anchors: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
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
    #[error("{0}")]
    Subject(String),
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(
        "the mesh in namespace {namespace} has no usable trust bundle: {cause}; name its anchors with --trust-anchors"
    )]
    Bundle { namespace: String, cause: String },
    #[error("no pods found in namespace {0}")]
    NoPods(String),
    /// Each was told already.
    #[error("{failed} of {all} did not prove to be who they have to be")]
    Unproven { failed: usize, all: usize },
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// Prints the text for all files, for the pods or for the workload.
pub(super) fn run(args: &Args) -> Result<(), ShowError> {
    if let (Some(addr), Some(name)) = (args.connect, &args.name) {
        let anchors = args.trust_anchors.as_deref();
        print!(
            "{}",
            workload(addr, name, anchors.unwrap_or(Path::new(TRUST_ANCHORS)))?
        );
        return Ok(());
    }
    if let Some(resources) = args.pods()? {
        let runtime = runtime().map_err(ShowError::Runtime)?;
        return runtime.block_on(pods::show(args, &resources));
    }
    for path in &args.subjects {
        print!("{}", file(Path::new(path))?);
    }
    Ok(())
}

impl Args {
    /// Whose pods are meant; none when files are. A namespace or labels say so, or a kind before a name that is no file.
    fn pods(&self) -> Result<Option<Vec<Resource>>, ShowError> {
        let named = |text: &String| {
            let kind = text.parse::<Resource>().is_ok() && text.contains('/');
            kind && !Path::new(text).exists()
        };
        let flags = self.namespace.is_some() || self.selector.is_some();
        if !flags && !self.subjects.iter().any(named) {
            return Ok(None);
        }
        let parsed = self.subjects.iter().map(|text| text.parse());
        parsed
            .collect::<Result<_, _>>()
            .map(Some)
            .map_err(ShowError::Subject)
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
