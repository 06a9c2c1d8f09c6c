//! The watch of one inbound port.

use super::{Shared, cache::Publisher, config::InboundDefault, convert, entropy};
use crate::{
    control::watch::{self, Event},
    policy::{ServerPolicy, ServerProtocol},
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
