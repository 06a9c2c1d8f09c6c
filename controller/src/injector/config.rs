//! What the mesh was installed with.

use super::annotations::{Annotations, BadAnnotation, Reader};
use super::settings::{self, Settings};
use ipnet::IpNet;

/// The ConfigMap, in each meshed namespace, that trust anchors are in.
pub const TRUST_BUNDLE: &str = "mesh-trust-bundle";
/// Their key in it: PEM.
pub const TRUST_BUNDLE_KEY: &str = "ca-bundle.crt";

/// The same for every injection.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who injects, for `mesh.dev/created-by`.
    pub created_by: String,
    /// The control plane's namespace.
    pub namespace: String,
    /// Last part of every identity.
    pub trust_domain: String,
    /// DNS domain of services.
    pub cluster_domain: String,
    /// Addresses of pods and services, for `cluster-` policies.
    pub cluster_networks: Vec<IpNet>,
    /// Redirect IPv6 too, and listen on it.
    pub ipv6: bool,
    /// Settings by the names of their annotations, without prefix.
    pub install: Annotations,
}

/// An install that says what no injection can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadConfig {
    /// A value.
    #[error("{0}")]
    Value(BadAnnotation),
    /// A name.
    #[error("there is no setting {0}; see docs/injection.md")]
    Name(String),
}

impl Default for Config {
    fn default() -> Self {
        Self::of(&crate::Config::new(""))
    }
}

impl Config {
    /// What a controller's own configuration says, with an install that says nothing.
    pub(crate) fn of(controller: &crate::Config) -> Self {
        Self {
            created_by: concat!("mesh/proxy-injector ", env!("CARGO_PKG_VERSION")).to_owned(),
            namespace: controller.identity_namespace.clone(),
            trust_domain: controller.trust_domain.clone(),
            cluster_domain: controller.cluster_domain.clone(),
            cluster_networks: controller.cluster_networks.clone(),
            ipv6: controller.ipv6,
            install: Annotations::new(),
        }
    }

    /// Checks what the install says, before the first pod comes.
    ///
    /// # Errors
    /// The first name or value that is wrong.
    pub fn check(&self) -> Result<(), BadConfig> {
        let names = settings::rows();
        let known = |name: &&String| names.iter().any(|row| row.name == name.as_str());
        if let Some(name) = self.install.keys().find(|name| !known(name)) {
            return Err(BadConfig::Name(name.clone()));
        }
        let none = Annotations::new();
        let mut reader = Reader::new(&none, &none, &self.install);
        Settings::read(&mut reader);
        reader
            .left_out
            .into_iter()
            .next()
            .map_or(Ok(()), |bad| Err(BadConfig::Value(bad)))
    }

    /// The identity of a service account of the control plane.
    pub(super) fn identity(&self, account: &str) -> String {
        format!("{account}.{}.{}", self.namespace, self.identity_suffix())
    }

    /// What follows account and namespace in every identity.
    pub(super) fn identity_suffix(&self) -> String {
        format!(
            "serviceaccount.identity.{}.{}",
            self.namespace, self.trust_domain
        )
    }

    /// The address of a service of the control plane. The dot at the end keeps
    /// resolvers from trying search domains.
    pub(super) fn service(&self, name: &str, port: u16) -> String {
        format!(
            "{name}.{}.svc.{}.:{port}",
            self.namespace, self.cluster_domain
        )
    }
}
