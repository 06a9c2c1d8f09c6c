//! What the environment demands of a port's clients, whatever policy says.
//!
//! `INBOUND_PORTS_REQUIRE_IDENTITY` and `_REQUIRE_TLS` are the workload's own
//! last word: an administrator who sets them wants them to hold when a policy is
//! lax, wrong, or not known yet. Linkerd builds them into the default policy, so
//! that any answer of the controller removes them; here they are checked before
//! policy, and policy can only refuse more.

use super::PeerTls;
use crate::config::PortSet;

/// Ports with a demand of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// Clients need an identity.
    pub identity: PortSet,
    /// Clients need mesh TLS.
    pub tls: PortSet,
}

/// What clients of one port need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    Nothing,
    Tls,
    Identity,
}

/// A client lacks what its port demands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("port {port} needs {needs} of its clients; {setting} names it")]
pub(super) struct Unmet {
    port: u16,
    needs: &'static str,
    setting: &'static str,
}

impl Demands {
    /// The strongest demand on clients of `port`.
    pub(super) fn of_port(&self, port: u16) -> Demand {
        if self.identity.contains(port) {
            Demand::Identity
        } else if self.tls.contains(port) {
            Demand::Tls
        } else {
            Demand::Nothing
        }
    }
}

impl Demand {
    /// Whether a client with `tls` may go on to `port`.
    pub(super) fn check(self, port: u16, tls: &PeerTls) -> Result<(), Unmet> {
        let (needs, setting) = match (self, tls) {
            (Self::Nothing, _)
            | (Self::Tls, PeerTls::Anonymous | PeerTls::Identified(_))
            | (Self::Identity, PeerTls::Identified(_)) => return Ok(()),
            (Self::Tls, PeerTls::None) => ("mesh TLS", "INBOUND_PORTS_REQUIRE_TLS"),
            (Self::Identity, _) => ("an identity", "INBOUND_PORTS_REQUIRE_IDENTITY"),
        };
        Err(Unmet {
            port,
            needs,
            setting,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_demand_holds() {
        let demands = Demands {
            identity: [80..=80, 90..=92].into_iter().collect(),
            tls: [80..=80, 443..=443].into_iter().collect(),
        };
        let clients = [
            PeerTls::None,
            PeerTls::Anonymous,
            PeerTls::Identified("web.shop".into()),
        ];
        for (port, expected) in [
            (80, [false, false, true]),
            (91, [false, false, true]),
            (443, [false, true, true]),
            (93, [true, true, true]),
        ] {
            let demand = demands.of_port(port);
            let allowed = clients
                .each_ref()
                .map(|tls| demand.check(port, tls).is_ok());
            assert_eq!(allowed, expected, "port {port}");
        }
    }

    #[test]
    fn a_refusal_names_port_and_setting() {
        let unmet = Demand::Tls.check(443, &PeerTls::None).unwrap_err();
        assert_eq!(
            unmet.to_string(),
            "port 443 needs mesh TLS of its clients; INBOUND_PORTS_REQUIRE_TLS names it"
        );
    }
}
