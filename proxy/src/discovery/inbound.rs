//! The watch of one inbound port.

use super::{
    Shared, cache::Publisher, config::InboundDefault, convert, default::Level, entropy,
};
use crate::{
    control::watch::{self, Event},
    policy::{ServerPolicy, ServerProtocol},
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

    fn detect_timeout(&self) -> Duration {
        match self.policy.protocol {
            ServerProtocol::Detect { timeout } => timeout,
            _ => Duration::from_secs(3),
        }
    }
}

/// Watches `port` and publishes its policy: the controller's, or the default where
/// it knows none.
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
    let apply = move |event| {
        let policy = match event {
            Event::First(message) | Event::Next(message) => {
                Arc::new(convert::inbound::server(message, default.detect_timeout())?)
            }
            Event::Absent(_) => default.of_port(port),
        };
        tx.send_if_modified(|current| {
            let changed = *current != policy;
            *current = policy;
            changed
        });
        Ok::<_, convert::Invalid>(())
    };
    let what = format!("inbound policy of port {port}");
    watch::run(what, config, entropy(), open, apply).await
}
