//! The default policies by name, for ports the controller says nothing about.
//!
//! The names and what they mean are Linkerd's (`INBOUND_DEFAULT_POLICY`), and the
//! controller answers the same for a port without a Server. The proxy needs them
//! by itself because it must decide before the first answer has arrived.

use crate::policy::{
    Authentication, Authorization, Metadata, ServerPolicy, ServerProtocol, inbound::Network,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{str::FromStr, sync::Arc, time::Duration};

/// A default policy for inbound ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultPolicy {
    /// Nobody may connect.
    Deny,
    /// Everybody may connect; Linkerd counts what `deny` would have refused.
    Audit,
    /// Who may connect, from where.
    Allow {
        /// What the client must prove.
        level: Level,
        /// Whether only clients in the cluster's networks may connect.
        cluster_only: bool,
    },
}

/// What a default policy asks of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing.
    Unauthenticated,
    /// Mesh TLS.
    TlsUnauthenticated,
    /// Mesh TLS with any identity.
    Authenticated,
}

/// The name is none of the default policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no default policy; expected deny, audit, or all- or cluster- \
     followed by unauthenticated, tls-unauthenticated or authenticated"
)]
pub struct UnknownPolicy(String);

impl DefaultPolicy {
    /// Its name, as the environment and metrics spell it.
    pub fn name(self) -> &'static str {
        use Level::{Authenticated, TlsUnauthenticated, Unauthenticated};
        match self {
            Self::Deny => "deny",
            Self::Audit => "audit",
            Self::Allow {
                level,
                cluster_only,
            } => match (cluster_only, level) {
                (false, Unauthenticated) => "all-unauthenticated",
                (false, TlsUnauthenticated) => "all-tls-unauthenticated",
                (false, Authenticated) => "all-authenticated",
                (true, Unauthenticated) => "cluster-unauthenticated",
                (true, TlsUnauthenticated) => "cluster-tls-unauthenticated",
                (true, Authenticated) => "cluster-authenticated",
            },
        }
    }

    /// The policy of a port: `cluster_networks` are those of `POLICY_CLUSTER_NETWORKS`,
    /// `detect_timeout` that of `INBOUND_DETECT_TIMEOUT`.
    pub fn server_policy(
        self,
        cluster_networks: &[IpNet],
        detect_timeout: Duration,
    ) -> ServerPolicy {
        let meta = Metadata::of_default(self.name());
        let (level, cluster_only) = match self {
            Self::Deny => (None, false),
            Self::Audit => (Some(Level::Unauthenticated), false),
            Self::Allow {
                level,
                cluster_only,
            } => (Some(level), cluster_only),
        };
        let networks = match cluster_only {
            true => cluster_networks.to_vec(),
            false => vec![Ipv4Net::default().into(), Ipv6Net::default().into()],
        };
        let network = |net| Network {
            net,
            except: Vec::new(),
        };
        let authorization = level.map(|level| Authorization {
            meta: meta.clone(),
            networks: networks.into_iter().map(network).collect(),
            authentication: level.authentication(),
        });
        ServerPolicy {
            meta,
            protocol: ServerProtocol::Detect {
                timeout: detect_timeout,
            },
            authorizations: authorization.into_iter().collect(),
            routes: Arc::new([]),
        }
    }
}

impl Level {
    /// `authorization`, asking for this level at least.
    pub(super) fn raise(self, authorization: &Authorization) -> Authorization {
        let enough = match authorization.authentication {
            Authentication::Unauthenticated => self == Self::Unauthenticated,
            Authentication::TlsUnauthenticated => self != Self::Authenticated,
            Authentication::TlsAuthenticated { .. } => true,
        };
        let mut raised = authorization.clone();
        if !enough {
            raised.authentication = self.authentication();
        }
        raised
    }

    fn authentication(self) -> Authentication {
        match self {
            Self::Unauthenticated => Authentication::Unauthenticated,
            Self::TlsUnauthenticated => Authentication::TlsUnauthenticated,
            Self::Authenticated => Authentication::TlsAuthenticated {
                identities: Vec::new(),
                suffixes: vec!["".into()],
            },
        }
    }
}

impl FromStr for DefaultPolicy {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        use Level::{Authenticated, TlsUnauthenticated, Unauthenticated};
        let allow = |cluster_only| {
            [Unauthenticated, TlsUnauthenticated, Authenticated].map(|level| Self::Allow {
                level,
                cluster_only,
            })
        };
        [Self::Deny, Self::Audit]
            .into_iter()
            .chain(allow(false))
            .chain(allow(true))
            .find(|policy| policy.name() == name)
            .ok_or_else(|| UnknownPolicy(name.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::inbound::Client;

    fn allows(name: &str, ip: &str, tls: Option<Option<&str>>) -> bool {
        let nets = ["10.0.0.0/8".parse().unwrap()];
        let policy: DefaultPolicy = name.parse().unwrap();
        assert_eq!(policy.name(), name);
        let client = Client {
            ip: ip.parse().unwrap(),
            tls,
        };
        let policy = policy.server_policy(&nets, Duration::from_secs(3));
        policy.authorize(&client).is_ok()
    }

    #[test]
    fn each_name_allows_whom_it_says() {
        for (name, plain, tls, identity, outside) in [
            ("deny", false, false, false, false),
            ("audit", true, true, true, true),
            ("all-unauthenticated", true, true, true, true),
            ("all-tls-unauthenticated", false, true, true, true),
            ("all-authenticated", false, false, true, true),
            ("cluster-unauthenticated", true, true, true, false),
            ("cluster-tls-unauthenticated", false, true, true, false),
            ("cluster-authenticated", false, false, true, false),
        ] {
            assert_eq!(allows(name, "10.1.1.1", None), plain, "{name} plain");
            assert_eq!(allows(name, "10.1.1.1", Some(None)), tls, "{name} tls");
            let id = Some(Some("web.shop"));
            assert_eq!(allows(name, "10.1.1.1", id), identity, "{name} identity");
            assert_eq!(allows(name, "192.0.2.1", id), outside, "{name} outside");
        }
        assert!(allows("all-unauthenticated", "2001:db8::1", None));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let err = "everyone".parse::<DefaultPolicy>().unwrap_err().to_string();
        assert!(
            err.contains("\"everyone\"") && err.contains("cluster-"),
            "{err}"
        );
    }
}
