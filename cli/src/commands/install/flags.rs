//! What `mesh install` and `mesh upgrade` take, each put over the values so far.

use crate::install::Values;
use std::{fs, io, path::PathBuf, time::Duration};

/// One for each value; what is not given stays as it is.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Flags {
    /// File of values, as the Helm chart's; flags win over it. May be given several times, the last wins
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(super) values: Vec<PathBuf>,
    /// From [`crate::cluster::ClusterArgs`]
    #[arg(skip)]
    pub(super) namespace: Option<String>,
    /// Registry, and path in it, of the images mesh-proxy, mesh-controller and mesh-identity
    #[arg(long, env = "MESH_REGISTRY", value_name = "NAME")]
    registry: Option<String>,
    /// Tag of the images
    #[arg(long, env = "MESH_TAG", value_name = "TAG")]
    tag: Option<String>,
    /// When images are pulled: Always, IfNotPresent or Never
    #[arg(long, env = "MESH_IMAGE_PULL_POLICY", value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// High availability: three replicas of everything, on different nodes if there are
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ha: Option<bool>,
    /// Replicas of everything, if not one, or three with --ha
    #[arg(long, value_name = "COUNT")]
    replicas: Option<u32>,
    /// Last part of every identity; can't be changed later
    #[arg(long, value_name = "DOMAIN", help_heading = "Network")]
    trust_domain: Option<String>,
    /// DNS domain of services
    #[arg(long, value_name = "DOMAIN", help_heading = "Network")]
    cluster_domain: Option<String>,
    /// Networks of pods and services; other addresses are forwarded as they are
    #[arg(long, value_name = "CIDRS", help_heading = "Network")]
    cluster_networks: Option<String>,
    /// Leave IPv6 alone, for nodes that have none
    #[arg(long = "disable-ipv6", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Network")]
    disable_ipv6: Option<bool>,
    /// Who may connect where no policy says otherwise: all-unauthenticated, all-authenticated,
    /// cluster-unauthenticated, cluster-authenticated, deny or audit
    #[arg(long, value_name = "POLICY", help_heading = "Proxies")]
    default_inbound_policy: Option<String>,
    /// Ports whose protocol is not detected, where no annotation says otherwise
    #[arg(long, value_name = "PORTS", help_heading = "Proxies")]
    opaque_ports: Option<String>,
    /// A setting of all proxies, where no annotation config.mesh.dev/NAME says otherwise; may be given
    /// several times. docs/injection.md lists the names
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting, help_heading = "Proxies")]
    settings: Vec<(String, String)>,
    /// What happens to a pod while no injector answers: Ignore (it starts without a proxy) or Fail (it does not start)
    #[arg(long, value_name = "POLICY", help_heading = "Proxies")]
    injector_failure_policy: Option<String>,
    /// Trust anchors (PEM), one or more
    #[arg(long, value_name = "FILE", help_heading = "Identity")]
    identity_trust_anchors_file: Option<PathBuf>,
    /// Certificate (PEM) that signs those of workloads, with those between it and an anchor after it
    #[arg(long, value_name = "FILE", help_heading = "Identity")]
    identity_issuer_certificate_file: Option<PathBuf>,
    /// Its key (PEM, ECDSA P-256)
    #[arg(long, value_name = "FILE", help_heading = "Identity")]
    identity_issuer_key_file: Option<PathBuf>,
    /// Somebody else, as cert-manager, writes the Secret mesh-identity-issuer
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Identity")]
    identity_external_issuer: Option<bool>,
    /// Life of workloads' certificates
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, help_heading = "Identity")]
    identity_issuance_lifetime: Option<Duration>,
    /// Difference between clocks that certificates allow for
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, help_heading = "Identity")]
    identity_clock_skew_allowance: Option<Duration>,
    /// Log level of the control plane: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("expected NAME=VALUE, as proxy-cpu-limit=2")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A file that a flag names.
#[derive(Debug, thiserror::Error)]
#[error("{flag}: can't read {}: {source}", path.display())]
pub(crate) struct Unreadable {
    flag: &'static str,
    path: PathBuf,
    source: io::Error,
}

pub(super) fn read(flag: &'static str, path: &PathBuf) -> Result<String, Unreadable> {
    fs::read_to_string(path).map_err(|source| Unreadable {
        flag,
        path: path.clone(),
        source,
    })
}

impl Flags {
    /// Puts what was given over `values`. Whether it is right is for [`crate::install::check`].
    ///
    /// # Errors
    /// When a file can't be read; all of them are told.
    pub(super) fn apply(&self, values: &mut Values) -> Result<(), Vec<Unreadable>> {
        self.apply_scalars(values);
        values.proxy_defaults.extend(self.settings.iter().cloned());
        let issuer = &mut values.identity.issuer;
        let mut unreadable = Vec::new();
        for (flag, path, text) in [
            (
                "--identity-trust-anchors-file",
                &self.identity_trust_anchors_file,
                &mut values.identity.trust_anchors,
            ),
            (
                "--identity-issuer-certificate-file",
                &self.identity_issuer_certificate_file,
                &mut issuer.certificate,
            ),
            (
                "--identity-issuer-key-file",
                &self.identity_issuer_key_file,
                &mut issuer.key,
            ),
        ] {
            match path.as_ref().map(|path| read(flag, path)) {
                None => {}
                Some(Ok(read)) => *text = read,
                Some(Err(error)) => unreadable.push(error),
            }
        }
        match unreadable.is_empty() {
            true => Ok(()),
            false => Err(unreadable),
        }
    }

    fn apply_scalars(&self, values: &mut Values) {
        fn over<T: Clone>(value: &mut T, given: &Option<T>) {
            if let Some(given) = given {
                value.clone_from(given);
            }
        }
        over(&mut values.namespace, &self.namespace);
        over(&mut values.registry, &self.registry);
        over(&mut values.tag, &self.tag);
        over(&mut values.image_pull_policy, &self.image_pull_policy);
        over(&mut values.high_availability, &self.ha);
        values.replicas = self.replicas.or(values.replicas);
        over(&mut values.trust_domain, &self.trust_domain);
        over(&mut values.cluster_domain, &self.cluster_domain);
        over(&mut values.cluster_networks, &self.cluster_networks);
        over(&mut values.disable_ipv6, &self.disable_ipv6);
        over(
            &mut values.default_inbound_policy,
            &self.default_inbound_policy,
        );
        over(&mut values.opaque_ports, &self.opaque_ports);
        over(
            &mut values.injector.failure_policy,
            &self.injector_failure_policy,
        );
        over(&mut values.log_level, &self.log);
        let identity = &mut values.identity;
        over(
            &mut identity.issuer.external,
            &self.identity_external_issuer,
        );
        over(
            &mut identity.issuance_lifetime_seconds,
            &self.identity_issuance_lifetime.map(|time| time.as_secs()),
        );
        over(
            &mut identity.clock_skew_allowance_seconds,
            &self
                .identity_clock_skew_allowance
                .map(|time| time.as_secs()),
        );
    }
}
