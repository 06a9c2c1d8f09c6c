//! From flags to what a controller is told.

use super::Flags;
use crate::{
    config::{Config, SourceConfig},
    identity::IdentitySource,
};
use mesh_identity::kubernetes::Access;

impl Flags {
    /// Where the controller's certificate comes from, if it is to have one.
    #[must_use]
    pub fn identity(&self) -> Option<IdentitySource> {
        Some(IdentitySource {
            addr: self.identity_addr.clone()?,
            token: self.identity_token.clone()?,
            trust_anchors: self.trust_anchors.clone()?,
            service_account: self.service_account.clone(),
            server_account: "mesh-identity".to_owned(),
            namespace: self.identity_namespace.clone(),
            trust_domain: self.trust_domain.clone(),
        })
    }
}

impl From<Flags> for Config {
    fn from(flags: Flags) -> Self {
        let source = match flags.source {
            SourceConfig::Kubernetes(_) => SourceConfig::Kubernetes(Access {
                kubeconfig: flags.kubeconfig,
                context: flags.kube_context,
            }),
            directory => directory,
        };
        Self {
            serve: flags.serve,
            trust_anchors: flags.trust_anchors,
            proxy_defaults: flags.proxy_defaults,
            destination_addr: flags.destination_addr,
            policy_addr: flags.policy_addr,
            injector_addr: flags.injector_addr,
            admin_addr: flags.admin_addr,
            identity_namespace: flags.identity_namespace,
            trust_domain: flags.trust_domain,
            cluster_domain: flags.cluster_domain,
            default_policy: flags.default_inbound_policy,
            opaque_ports: flags.opaque_ports,
            cluster_networks: flags.cluster_networks,
            probe_networks: flags.probe_networks,
            ipv6: !flags.disable_ipv6,
            h2_upgrade: !flags.disable_h2_upgrade,
            prefer_local_zone: flags.prefer_local_zone,
            ..Self::new(source)
        }
    }
}
