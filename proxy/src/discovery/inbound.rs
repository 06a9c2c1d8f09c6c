//! The watch of one inbound port.

use super::{Shared, cache::Publisher, config::InboundDefault, convert, default::Level, entropy};
use crate::{
    control::watch::{self, Event},
    policy::{Metadata, ServerPolicy, ServerProtocol},
};
use linkerd2_proxy_api::inbound::{
    PortSpec, inbound_server_policies_client::InboundServerPoliciesClient,
};
use std::{convert::Infallible, ops::RangeInclusive, sync::Arc, time::Duration};

impl InboundDefault {
    /// The policy of `port`.
    pub fn of_port(&self, port: u16) -> Arc<ServerPolicy> {
        let is_of = |ports: &[RangeInclusive<u16>]| ports.iter().any(|range| range.contains(&port));
        let opaque = is_of(&self.opaque_ports);
        let required = match (is_of(&self.identity_ports), is_of(&self.tls_ports)) {
            (true, _) => Some(Level::Authenticated),
            (false, true) => Some(Level::TlsUnauthenticated),
            (false, false) => None,
        };
        if !opaque && required.is_none() {
            return self.policy.clone();
        }
        let mut policy = (*self.policy).clone();
        if opaque {
            policy.protocol = ServerProtocol::Opaque;
        }
        if let Some(level) = required {
            let raised = policy.authorizations.iter().map(|authz| level.raise(authz));
            policy.authorizations = raised.collect();
        }
        Arc::new(policy)
    }

    /// For a `port` whose policy can't be read: the controller wants something
    /// there, so the default may be too lax, and nobody is let in.
    fn unreadable(&self, port: u16) -> Arc<ServerPolicy> {
        Arc::new(ServerPolicy {
            meta: Metadata::of_default("unreadable"),
            authorizations: Arc::new([]),
            ..(*self.of_port(port)).clone()
        })
    }

    fn detect_timeout(&self) -> Duration {
        match self.policy.protocol {
            ServerProtocol::Detect { timeout } => timeout,
            _ => Duration::from_secs(3),
        }
    }
}

/// Watches `port` and publishes its policy: the controller's, or the default where
/// it knows none. A policy that can't be read changes nothing if there is a good
/// one, and else denies everyone.
pub(super) async fn run(
    shared: Arc<Shared>,
    port: u16,
    tx: Publisher<Arc<ServerPolicy>>,
) -> Infallible {
    let spec = PortSpec {
        workload: shared.config.workload.to_string(),
        port: port.into(),
    };
    let config = shared.config.watch;
    let default = shared.config.inbound_default.clone();
    let open = move || {
        let mut client = InboundServerPoliciesClient::new(shared.channels.policy.clone());
        let spec = spec.clone();
        async move { client.watch_port(spec).await }
    };
    let mut known = false;
    let apply = move |event| {
        let (policy, result) = match event {
            Event::First(message) | Event::Next(message) => {
                match convert::inbound::server(message, default.detect_timeout()) {
                    Ok(policy) => {
                        known = true;
                        (Arc::new(policy), Ok(()))
                    }
                    Err(invalid) if known => return Err(invalid),
                    Err(invalid) => (default.unreadable(port), Err(invalid)),
                }
            }
            Event::Absent(_) => {
                known = false;
                (default.of_port(port), Ok(()))
            }
        };
        publish(&tx, policy);
        result
    };
    let what = format!("inbound policy of port {port}");
    watch::run(what, config, entropy(), open, apply).await
}

fn publish(tx: &Publisher<Arc<ServerPolicy>>, policy: Arc<ServerPolicy>) {
    tx.send_if_modified(|current| {
        let changed = *current != policy;
        *current = policy;
        changed
    });
}
