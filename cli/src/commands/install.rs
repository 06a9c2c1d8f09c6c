//! `mesh install`.

mod flags;

use super::{output::print, runtime};
use crate::cluster::{Cluster, ClusterArgs, ClusterError};
use crate::install::{
    self, Credentials, Mistake, Values, cluster,
    credentials::CredentialsError,
    output::{self, Format},
    values::BadValues,
};
pub(super) use flags::Flags;
use flags::Unreadable;
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
    /// Do not look whether the cluster has a mesh already
    #[arg(long)]
    ignore_cluster: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why nothing is printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    #[error(
        "mesh {version} is installed in namespace {namespace} already: `mesh upgrade | kubectl apply -f -` changes it. --ignore-cluster prints the manifests all the same, with a new CA unless you give one"
    )]
    Present { namespace: String, version: String },
    #[error(
        "namespace {0} has a mesh, and a cluster can have one: `mesh upgrade --mesh-namespace {0}` changes it, `mesh uninstall --mesh-namespace {0}` removes it"
    )]
    Other(String),
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
    let values = values(args)?;
    if !args.ignore_cluster {
        let runtime = runtime().map_err(InstallError::Runtime)?;
        runtime.block_on(look(&args.cluster, &values.namespace))?;
    }
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

fn values(args: &Args) -> Result<Values, InstallError> {
    let mut values = Values::default();
    let namespace = &args.cluster.mesh_namespace;
    // The flag has a default, which a file of values is put over; any other name was meant.
    let mut flags = args.flags.clone();
    flags.namespace = (*namespace != values.namespace).then(|| namespace.clone());
    values = over(values, &flags)?;
    Ok(values)
}

/// Refuses a second mesh. That there is no cluster to look at is no reason to print nothing.
async fn look(args: &ClusterArgs, namespace: &str) -> Result<(), InstallError> {
    let looked = async {
        let mut cluster = args.connect().await?;
        cluster.namespace = namespace.to_owned();
        found(&cluster).await
    };
    match looked.await {
        Ok(None) => Ok(()),
        Ok(Some(found)) => Err(found),
        Err(error) => {
            eprintln!(
                "mesh: note: not looked whether the cluster has a mesh already (--ignore-cluster says not to): {error}"
            );
            Ok(())
        }
    }
}

/// Why this cluster must not be given another mesh.
async fn found(cluster: &Cluster) -> Result<Option<InstallError>, ClusterError> {
    if let Some(installed) = cluster::installed(cluster).await? {
        return Ok(Some(InstallError::Present {
            namespace: cluster.namespace.clone(),
            version: installed.version,
        }));
    }
    Ok(cluster::other_mesh(cluster).await?.map(InstallError::Other))
}

/// Files of values and flags put over `values`, and all of it checked.
pub(super) fn over(mut values: Values, flags: &Flags) -> Result<Values, InstallError> {
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

#[cfg(test)]
mod tests;
