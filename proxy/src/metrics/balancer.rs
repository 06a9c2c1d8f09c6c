//! Balancers and their queues.

use super::{
    Metrics,
    labels::Labels,
    names::{self, BalancerFamilies},
};
use ::metrics::{Counter, Gauge, Histogram};
use mesh_balancer::Policy;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What a balancer is for: the stem of its families' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BalancerKind {
    /// `outbound_http_balancer`, with parent and backend labels.
    OutboundHttp,
    /// `outbound_tcp_balancer`, with parent and backend labels.
    OutboundTcp,
    /// `outbound_tls_balancer`, with parent and backend labels.
    OutboundTls,
    /// `control_destination_balancer`, with `addr`.
    Destination,
    /// `control_identity_balancer`, with `addr`.
    Identity,
    /// `control_policy_balancer`, with `addr`.
    Policy,
}

/// One balancer.
#[derive(Debug)]
pub struct BalancerMetrics {
    /// Seconds that requests waited in the queue.
    pub queue_latency: Histogram,
    pending: Gauge,
    ready: Gauge,
    endpoints: Gauge,
    updates: [Counter; 4],
    policies: [Gauge; Policy::NAMES.len()],
    queue_length: Gauge,
    queue_requests: Counter,
    gate_open: Counter,
    gate_shut: Counter,
    gate_open_time: Gauge,
    gate_shut_time: Gauge,
    /// Held so that it is shown: it never changes.
    _gate_timeout: Gauge,
    all: AtomicUsize,
    now_ready: AtomicUsize,
    waiting: AtomicUsize,
}

const OPS: [&str; 4] = ["Add", "Remove", "Reset", "DoesNotExist"];

impl Metrics {
    /// A balancer whose queue fails fast after `timeout` without a ready endpoint.
    pub fn balancer(
        &self,
        kind: BalancerKind,
        labels: &Labels,
        timeout: Duration,
    ) -> Arc<BalancerMetrics> {
        let families = kind.families();
        let registry = &self.registry;
        let with = |name: &'static str, value: &'static str| labels.clone().with(name, value);
        let state = |state| registry.gauge(&families.endpoints, &with("endpoint_state", state));
        let gate_timeout = registry.gauge(&families.gate_timeout, labels);
        gate_timeout.set(timeout.as_secs_f64());
        let metrics = BalancerMetrics {
            queue_latency: registry.histogram(&families.queue_latency, labels),
            pending: state("pending"),
            ready: state("ready"),
            endpoints: registry.gauge(&families.p2c_endpoints, labels),
            updates: OPS.map(|op| registry.counter(&families.p2c_updates, &with("op", op))),
            policies: Policy::NAMES
                .map(|name| registry.gauge(&families.policy, &with("policy", name))),
            queue_length: registry.gauge(&families.queue_length, labels),
            queue_requests: registry.counter(&families.queue_requests, labels),
            gate_open: registry.counter(&families.gate_open, labels),
            gate_shut: registry.counter(&families.gate_shut, labels),
            gate_open_time: registry.gauge(&families.gate_open_time, labels),
            gate_shut_time: registry.gauge(&families.gate_shut_time, labels),
            _gate_timeout: gate_timeout,
            all: AtomicUsize::new(0),
            now_ready: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        };
        metrics.failfast(false);
        Arc::new(metrics)
    }
}

impl BalancerKind {
    fn families(self) -> &'static BalancerFamilies {
        match self {
            Self::OutboundHttp => &names::OUTBOUND_HTTP_BALANCER,
            Self::OutboundTcp => &names::OUTBOUND_TCP_BALANCER,
            Self::OutboundTls => &names::OUTBOUND_TLS_BALANCER,
            Self::Destination => &names::CONTROL_DESTINATION_BALANCER,
            Self::Identity => &names::CONTROL_IDENTITY_BALANCER,
            Self::Policy => &names::CONTROL_POLICY_BALANCER,
        }
    }
}

/// The events of `mesh_balancer::Observer`.
impl BalancerMetrics {
    /// An update of kind `op` (`Add`, `Remove`, `Reset` or `DoesNotExist`) left
    /// `endpoints` endpoints.
    pub fn updated(&self, op: &str, endpoints: usize) {
        if let Some(at) = OPS.iter().position(|known| *known == op) {
            self.updates[at].increment(1);
        }
        self.all.store(endpoints, Ordering::Relaxed);
        self.endpoints.set(endpoints as f64);
        self.states();
    }

    /// Endpoints are chosen by `policy`.
    pub fn policy(&self, policy: &Policy) {
        for (index, gauge) in self.policies.iter().enumerate() {
            gauge.set(f64::from(u8::from(index == policy.index())));
        }
    }

    /// So many endpoints can take requests now.
    pub fn ready(&self, ready: usize) {
        self.now_ready.store(ready, Ordering::Relaxed);
        self.states();
    }

    /// A request entered or left the queue, in which `waiting` remain.
    pub fn queue(&self, waiting: usize) {
        if waiting > self.waiting.swap(waiting, Ordering::Relaxed) {
            self.queue_requests.increment(1);
        }
        self.queue_length.set(waiting as f64);
    }

    /// The queue entered or left the failfast state: its gate is shut or open.
    pub fn failfast(&self, active: bool) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs_f64();
        let (count, time) = match active {
            true => (&self.gate_shut, &self.gate_shut_time),
            false => (&self.gate_open, &self.gate_open_time),
        };
        count.increment(1);
        time.set(now);
    }

    fn states(&self) {
        let ready = self.now_ready.load(Ordering::Relaxed);
        let all = self.all.load(Ordering::Relaxed);
        self.ready.set(ready as f64);
        self.pending.set(all.saturating_sub(ready) as f64);
    }
}
