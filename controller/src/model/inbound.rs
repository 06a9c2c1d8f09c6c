//! What a workload's proxy takes in on a port.

use super::{
    Index,
    query::{Dependency, Query},
};
use ipnet::IpNet;
use std::{collections::BTreeSet, fmt, str::FromStr};

/// Who may connect where no policy object says otherwise.
///
/// Linkerd's names and meanings (features.md 1.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefaultPolicy {
    /// Anyone.
    #[default]
    AllUnauthenticated,
    /// Any client with an identity of the mesh.
    AllAuthenticated,
    /// Anyone whose address is in the cluster networks.
    ClusterUnauthenticated,
    /// A client with an identity whose address is in the cluster networks.
    ClusterAuthenticated,
    /// No one.
    Deny,
    /// Anyone; what `deny` would refuse is counted by the label `audit`.
    Audit,
}

impl DefaultPolicy {
    const ALL: [(Self, &str); 6] = [
        (Self::AllUnauthenticated, "all-unauthenticated"),
        (Self::AllAuthenticated, "all-authenticated"),
        (Self::ClusterUnauthenticated, "cluster-unauthenticated"),
        (Self::ClusterAuthenticated, "cluster-authenticated"),
        (Self::Deny, "deny"),
        (Self::Audit, "audit"),
    ];

    /// The name as in annotations, flags and metric labels.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(policy, _)| *policy == self);
        named.map_or("", |(_, name)| name)
    }

    /// The policy that also asks for an identity.
    fn authenticated(self) -> Self {
        match self {
            Self::AllUnauthenticated => Self::AllAuthenticated,
            Self::ClusterUnauthenticated => Self::ClusterAuthenticated,
            other => other,
        }
    }
}

impl fmt::Display for DefaultPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DefaultPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|(_, name)| *name == text);
        named.map(|(policy, _)| *policy).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("{text:?} is none of {}", names.join(", "))
        })
    }
}

/// One port of one pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InboundQuery {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) port: u16,
}

/// The policy of a pod's port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InboundView {
    pub(crate) opaque: bool,
    pub(crate) policy: DefaultPolicy,
    pub(crate) authorizations: Vec<Authorization>,
    /// Paths that the kubelet may get without an identity.
    pub(crate) probes: BTreeSet<String>,
    pub(crate) probe_networks: Vec<IpNet>,
}

/// Clients that are let in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Authorization {
    pub(crate) networks: Vec<IpNet>,
    /// Any identity of the mesh, but not none.
    pub(crate) authenticated: bool,
}

impl Query for InboundQuery {
    type View = InboundView;

    fn view(&self, index: &Index) -> Option<InboundView> {
        let pod = index.pod(&self.namespace, &self.pod)?;
        let namespace = index
            .namespace(&self.namespace)
            .and_then(|n| n.default_policy);
        let pod_says = &pod.template;
        let policy = pod_says
            .default_policy
            .or(namespace)
            .unwrap_or(index.settings.default_policy);
        let policy = match pod_says.identity_ports.contains(self.port) {
            true => policy.authenticated(),
            false => policy,
        };
        Some(InboundView {
            opaque: index.pod_port_is_opaque(pod, self.port),
            policy,
            authorizations: authorizations(policy, &index.settings.cluster_networks),
            probes: pod_says.probes.get(&self.port).cloned().unwrap_or_default(),
            probe_networks: index.settings.probe_networks.clone(),
        })
    }

    fn dependency(&self, _: &Index) -> Dependency {
        Dependency::pod(&self.namespace, &self.pod)
    }
}

fn authorizations(policy: DefaultPolicy, cluster: &[IpNet]) -> Vec<Authorization> {
    let all = || vec![IpNet::default(), IpNet::V6(ipnet::Ipv6Net::default())];
    let (networks, authenticated) = match policy {
        DefaultPolicy::AllUnauthenticated | DefaultPolicy::Audit => (all(), false),
        DefaultPolicy::AllAuthenticated => (all(), true),
        DefaultPolicy::ClusterUnauthenticated => (cluster.to_vec(), false),
        DefaultPolicy::ClusterAuthenticated => (cluster.to_vec(), true),
        DefaultPolicy::Deny => return Vec::new(),
    };
    vec![Authorization {
        networks,
        authenticated,
    }]
}
