//! `mesh install`.

mod flags;

use super::output::print;
use crate::cluster::ClusterArgs;
use crate::install::{
    self, Credentials, Mistake, Values,
    credentials::CredentialsError,
    output::{self, Format},
    values::BadValues,
};
use flags::{Flags, Unreadable};
use std::time::SystemTime;

/// The version of what is rendered here.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Print the manifests of the control plane, for kubectl to apply
///
/// Without files of your own, a new root and issuer are made, and differ each time. The issuer's key is in the printed Secret, so do not keep
/// the output where others can read it. When a value is wrong, nothing is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh install | kubectl apply -f -
  mesh install --ha --registry registry.example.com/mesh | kubectl apply -f -
  mesh install --identity-trust-anchors-file ca.crt --identity-issuer-certificate-file issuer.crt \\
    --identity-issuer-key-file issuer.key > mesh.yaml
  mesh install --identity-external-issuer --identity-trust-anchors-file ca.crt | kubectl apply -f -
  mesh install --values values.yaml --set proxy-cpu-request=10m --default-inbound-policy all-authenticated

docs/install.md has every flag with its default, the rotation of certificates, cert-manager and Helm.")]
pub(crate) struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Form of the output
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Format,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why nothing is printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("{}", lines(.0))]
    Unreadable(Vec<Unreadable>),
    #[error(transparent)]
    Values(#[from] BadValues),
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// The first line is given its prefix by whoever prints it.
fn lines<T: ToString>(errors: &[T]) -> String {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    errors.join("\nmesh: ")
}

pub(super) fn run(args: &Args) -> Result<(), InstallError> {
    let mut values = Values::default();
    values.namespace.clone_from(&args.cluster.mesh_namespace);
    let values = over(values, &args.flags)?;
    let credentials = Credentials::of(&values, SystemTime::now())?;
    if values.identity.trust_anchors.is_empty() {
        eprintln!(
            "mesh: made a root for ten years and an issuer for one; the root's key is not kept (docs/install.md, Certificates)"
        );
    }
    let objects = install::objects(&values, &credentials, VERSION);
    print(&output::text(&objects, args.output));
    Ok(())
}

/// Files of values and flags put over `values`, and all of it checked.
fn over(mut values: Values, flags: &Flags) -> Result<Values, InstallError> {
    for path in &flags.values {
        let text =
            flags::read("--values", path).map_err(|error| InstallError::Unreadable(vec![error]))?;
        values = values.overlaid(&path.display().to_string(), &text)?;
    }
    flags.apply(&mut values).map_err(InstallError::Unreadable)?;
    match install::check(&values, VERSION) {
        mistakes if mistakes.is_empty() => Ok(values),
        mistakes => Err(InstallError::Mistakes(mistakes)),
    }
}
