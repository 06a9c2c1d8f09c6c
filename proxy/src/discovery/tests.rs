//! Discovery as the data path sees it, against a control plane answered by hand.

use super::{fake::FakeControl, messages::*, *};
use crate::{
    control::{Backoff, WatchConfig, dns::fake::FakeDns},
    policy::{Dispatch, Protocol, RouteAction, ServerProtocol},
};
use linkerd2_proxy_api::outbound::traffic_spec;
use std::time::Duration;
use tokio::time::{Instant, advance, timeout};
use tonic::Status;

mod endpoints;
mod inbound;
mod outbound;

const SHORT: Duration = Duration::from_millis(1);

/// A control plane, DNS, and a discovery that asks them.
struct Bench {
    control: FakeControl,
    dns: FakeDns,
    discovery: Discovery,
}

fn bench() -> Bench {
    bench_with(|_| ())
}

fn bench_with(change: impl FnOnce(&mut DiscoveryConfig)) -> Bench {
    let (control, dns) = (FakeControl::new(), FakeDns::default());
    let policy: DefaultPolicy = "all-unauthenticated".parse().unwrap();
    let inbound_default = InboundDefault {
        policy: Arc::new(policy.server_policy(&[], Duration::from_secs(3))),
        opaque_ports: vec![25..=25, 3306..=3307],
        identity_ports: Vec::new(),
        tls_ports: Vec::new(),
    };
    let mut config = DiscoveryConfig::new("workload", "context", inbound_default);
    let exact =
        |min, max| Backoff::new(Duration::from_millis(min), Duration::from_millis(max), 0.0);
    config.watch = WatchConfig {
        retry: exact(100, 10_000).unwrap(),
        ask_again: exact(3000, 60_000).unwrap(),
        ..WatchConfig::default()
    };
    change(&mut config);
    let discovery = Discovery::new(config, control.channels(), Arc::new(dns.clone()));
    Bench {
        control,
        dns,
        discovery,
    }
}

fn target(text: &str) -> Target {
    Target::parse(text, 80).unwrap()
}
