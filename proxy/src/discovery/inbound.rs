//! The watch of one inbound port.

use super::{Shared, cache::Publisher, config::InboundDefault, convert, entropy};
use crate::{
    control::watch::{self, Event},
    policy::{Metadata, ServerPolicy, ServerProtocol},
};
use linkerd2_proxy_api::inbound::{
    PortSpec, inbound_server_policies_client::InboundServerPoliciesClient,
};
use std::{convert::Infallible, sync::Arc, time::Duration};

impl InboundDefault {
    /// The policy of `port`.
    pub fn of_port(&self, port: u16) -> Arc<ServerPolicy> {
        if !self.opaque_ports.iter().any(|ports| ports.contains(&port)) {
            return self.policy.clone();
        }
        Arc::new(ServerPolicy {
            protocol: ServerProtocol::Opaque,
            ..(*self.policy).clone()
        })
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
