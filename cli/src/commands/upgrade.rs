//! `mesh upgrade`.

use super::{
    install::{self, Flags, InstallError, VERSION},
    output::print,
    runtime,
};
use crate::{
    cluster::{Cluster, ClusterArgs, ClusterError},
    install::{
        self as control_plane, Credentials, Values,
        cluster::{self, Installed},
        credentials::CredentialsError,
        output::{self, Format},
        values::BadValues,
    },
};
use mesh_identity::TrustBundle;
use std::time::SystemTime;

/// Print the manifests of the control plane anew, with what the cluster keeps of the last installation
///
/// Flags change what was said then; everything else stays, certificates too. The issuer's Secret is printed only when a new issuer is given.
/// Nothing of the control plane's absence is felt by proxies, and with one replica the new pod starts before the old one ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mesh upgrade | kubectl apply -f -                       go on to the version of this program
  mesh upgrade --ha --injector-failure-policy Fail | kubectl apply -f -
  mesh upgrade --ha=false | kubectl apply -f - && mesh prune | kubectl delete -f -
  mesh upgrade --identity-trust-anchors-file both.crt | kubectl apply -f -
  mesh upgrade | kubectl diff -f -                        see what would change

docs/install.md tells how certificates are rotated.")]
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
pub(crate) enum UpgradeError {
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(
        "no mesh in namespace {0} (it has no ConfigMap mesh-config): `mesh install` makes one, --mesh-namespace names another"
    )]
    NotInstalled(String),
    #[error(
        "Helm has installed this mesh (release {0} in namespace {1}), so upgrade it with Helm: helm upgrade {0} deploy/helm/mesh --namespace {1} --reuse-values"
    )]
    Helm(String, String),
    #[error("{0}; was it written by a newer version? This is {VERSION}")]
    Kept(BadValues),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error(
        "{flag}: {new:?}: the running mesh has {old:?}, which {what} depends on; it can't be changed but by mesh uninstall and mesh install"
    )]
    Fixed {
        flag: &'static str,
        new: String,
        old: String,
        what: &'static str,
    },
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(
        "namespace {0} has no {1}: give the certificates anew with --identity-trust-anchors-file, --identity-issuer-certificate-file and --identity-issuer-key-file"
    )]
    Lost(String, &'static str),
}

pub(super) fn run(args: &Args) -> Result<(), UpgradeError> {
    let runtime = runtime().map_err(UpgradeError::Runtime)?;
    let upgrade = runtime.block_on(Upgrade::of(args))?;
    for note in &upgrade.notes {
        eprintln!("mesh: {note}");
    }
    print(&output::text(&upgrade.objects(), args.output));
    Ok(())
}

/// What the cluster has, with the flags over it.
#[derive(Debug)]
pub(super) struct Upgrade {
    values: Values,
    credentials: Credentials,
    notes: Vec<String>,
}

impl Upgrade {
    async fn of(args: &Args) -> Result<Self, UpgradeError> {
        let cluster = args.cluster.connect().await?;
        Self::from(&cluster, &args.flags, SystemTime::now()).await
    }

    pub(super) async fn from(
        cluster: &Cluster,
        flags: &Flags,
        now: SystemTime,
    ) -> Result<Self, UpgradeError> {
        let Some(installed) = cluster::installed(cluster).await? else {
            return Err(UpgradeError::NotInstalled(cluster.namespace.clone()));
        };
        let before = kept(cluster, &installed)?;
        if let Some((name, namespace)) = installed.release {
            return Err(UpgradeError::Helm(name, namespace));
        }
        let values = install::over(before.clone(), flags)?;
        unchanged(&before, &values)?;
        let mut notes = vec![format!(
            "upgrading the mesh in namespace {} from {} to {VERSION}",
            cluster.namespace, installed.version
        )];
        let credentials = credentials(cluster, &values, &mut notes, now).await?;
        Ok(Self {
            values,
            credentials,
            notes,
        })
    }

    /// In the order in which they are applied.
    pub(super) fn objects(&self) -> Vec<serde_json::Value> {
        control_plane::objects(&self.values, &self.credentials, VERSION)
    }
}

/// What the cluster was told the last time.
fn kept(cluster: &Cluster, installed: &Installed) -> Result<Values, UpgradeError> {
    let name = format!("ConfigMap {}/{}", cluster.namespace, control_plane::CONFIG);
    let kept = Values::default().overlaid(&name, &installed.values);
    let mut values = kept.map_err(UpgradeError::Kept)?;
    values.namespace.clone_from(&cluster.namespace);
    Ok(values)
}

/// Every identity has these in it.
fn unchanged(before: &Values, after: &Values) -> Result<(), UpgradeError> {
    for (flag, old, new, what) in [
        (
            "--mesh-namespace",
            &before.namespace,
            &after.namespace,
            "every identity",
        ),
        (
            "--trust-domain",
            &before.trust_domain,
            &after.trust_domain,
            "every identity",
        ),
    ] {
        if old != new {
            return Err(UpgradeError::Fixed {
                flag,
                new: new.clone(),
                old: old.clone(),
                what,
            });
        }
    }
    Ok(())
}

/// Those of the cluster, unless others are given. Others must fit what stays: anchors that the issuer in force does not lead to would
/// have every new certificate refused.
async fn credentials(
    cluster: &Cluster,
    values: &Values,
    notes: &mut Vec<String>,
    now: SystemTime,
) -> Result<Credentials, UpgradeError> {
    let lost = |what| UpgradeError::Lost(cluster.namespace.clone(), what);
    let in_force = cluster::trust_anchors(cluster).await?;
    let mut whole = values.clone();
    let (identity, given) = (&mut whole.identity, &values.identity);
    if given.trust_anchors.is_empty() {
        identity.trust_anchors = in_force
            .clone()
            .ok_or_else(|| lost("trust anchors (ConfigMap mesh-trust-bundle)"))?;
    }
    let new_issuer = !given.issuer.certificate.is_empty() || !given.issuer.key.is_empty();
    if new_issuer || given.issuer.external {
        notes.extend(removed(in_force.as_deref(), &identity.trust_anchors));
        return Ok(Credentials::of(&whole, now)?);
    }
    let issuer = cluster::issuer(cluster).await?;
    let issuer = issuer.ok_or_else(|| lost("issuer (Secret mesh-identity-issuer)"))?;
    if !given.trust_anchors.is_empty() {
        (identity.issuer.certificate, identity.issuer.key) = (issuer.certificate, issuer.key);
        notes.extend(removed(in_force.as_deref(), &identity.trust_anchors));
        let checked = Credentials::of(&whole, now)?;
        return Ok(Credentials {
            issuer: None,
            ..checked
        });
    }
    Ok(Credentials {
        trust_anchors: identity.trust_anchors.clone(),
        issuer: None,
    })
}

/// A warning about anchors that are no longer there.
fn removed(before: Option<&str>, after: &str) -> Option<String> {
    let [before, after] = [before?, after].map(|pem| TrustBundle::from_pem(pem).ok());
    let (before, after) = (before?.to_pem(), after?.to_pem());
    let end = "-----END CERTIFICATE-----\n";
    let gone = before
        .split_inclusive(end)
        .filter(|anchor| !after.contains(anchor))
        .count();
    (gone > 0).then(|| format!(
        "warning: {gone} of the trust anchors in force would go: pods whose certificates lead to them are refused from then on. Are all of them renewed? docs/install.md, Certificates"
    ))
}

#[cfg(test)]
mod tests;
