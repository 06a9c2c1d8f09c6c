//! What the control plane says about targets, endpoints and ports.
//!
//! [`Discovery`] is the only way from the data path to the control plane. Each
//! question opens a watch; equal questions share one, and it ends when nobody has
//! used it for a while. An answer is a typed value of [`crate::policy`] that keeps
//! itself up to date; messages stay inside. A control plane that is away delays
//! the first connection to a target by at most the initial timeout and changes
//! nothing else: what was last heard stays, and what was never heard is forwarded
//! as it is.

mod balancing;
mod cache;
pub mod config;
mod convert;
pub mod default;
mod endpoints;
#[cfg(test)]
pub(crate) mod fake;
mod follow;
mod inbound;
mod join;
mod lookup;
#[cfg(test)]
mod messages;
mod outbound;
mod synthesize;

pub use balancing::BalancingChoice;
pub use cache::Full as TooManyWatches;
pub use config::{DiscoveryConfig, InboundDefault};
pub use default::DefaultPolicy;
pub use endpoints::{Endpoint, EndpointStream, EndpointUpdate};
pub use lookup::Lookup;

use crate::{
    control::{Channel, SharedResolver},
    log::flood::sparsely,
    policy::{Metadata, OutboundPolicy, ServerPolicy, Target},
};
use cache::{Cache, Full};
use endpoints::EndpointSet;
use http::StatusCode;
use rand::{SeedableRng as _, rngs::SmallRng};
use std::sync::Arc;
use tokio::sync::watch::Receiver;

/// Clients of the services that are asked.
#[derive(Clone)]
pub struct Channels {
    /// Outbound and inbound policies.
    pub policy: Channel,
    /// Profiles, endpoints and balancing choices.
    pub destination: Channel,
}

/// Asks the control plane; clones share watches.
#[derive(Clone)]
pub struct Discovery {
    shared: Arc<Shared>,
    outbound: Arc<Cache<Target, outbound::Published>>,
    inbound: Arc<Cache<u16, Arc<ServerPolicy>>>,
    endpoints: Arc<Cache<Arc<str>, EndpointSet>>,
    balancing: Arc<Cache<Arc<str>, BalancingChoice>>,
}

/// What every watch needs.
struct Shared {
    config: DiscoveryConfig,
    channels: Channels,
    dns: SharedResolver,
}

impl Discovery {
    /// Nothing is asked yet. `dns` is for names that the control plane does not know.
    pub fn new(config: DiscoveryConfig, channels: Channels, dns: SharedResolver) -> Self {
        let (outbound_idle, inbound_idle) = (config.outbound_idle, config.inbound_idle);
        // Clients choose targets, and peers ports. Authorities come from the control
        // plane's own answers for targets, so bounding these bounds them all.
        Self {
            outbound: Cache::new("targets", outbound_idle, config.max_targets),
            inbound: Cache::new("ports", inbound_idle, config.max_ports),
            endpoints: Cache::new("authorities", outbound_idle, usize::MAX),
            balancing: Cache::new("authorities", outbound_idle, usize::MAX),
            shared: Arc::new(Shared {
                config,
                channels,
                dns,
            }),
        }
    }

    /// What to do with traffic for `target`. Answers at once when the target is in
    /// use, else with the control plane's first answer, or after the initial timeout
    /// (and a DNS query for a name) with what to do without one.
    pub async fn outbound(&self, target: &Target) -> Lookup<OutboundPolicy> {
        let start = |tx| outbound::run(self.shared.clone(), target.clone(), tx);
        match self.outbound.get(target, || None, start) {
            Ok(rx) => Lookup::first(rx).await,
            Err(full) => {
                sparsely!(warn, %target, %full, "Refused a target");
                let mode = synthesize::Mode::Detect(self.shared.config.detect_timeout);
                let (parent, status) = (
                    Metadata::of_default("too-many-targets"),
                    StatusCode::SERVICE_UNAVAILABLE,
                );
                Lookup::fixed(synthesize::fail(parent, mode, status, &full.to_string()))
            }
        }
    }

    /// The endpoints of `authority`, the path of a [`crate::policy::Dispatch::Balance`].
    pub fn endpoints(&self, authority: &str) -> EndpointStream {
        let key: Arc<str> = authority.into();
        let start = |tx| endpoints::run(self.shared.clone(), key.clone(), tx);
        let set = unbounded(self.endpoints.get(&key, EndpointSet::default, start));
        EndpointStream::new(set)
    }

    /// The balancing policy of `authority`: peak-EWMA until the control plane says otherwise.
    pub fn balancing(&self, authority: &str) -> Receiver<BalancingChoice> {
        let key: Arc<str> = authority.into();
        let start = |tx| balancing::run(self.shared.clone(), key.clone(), tx);
        unbounded(self.balancing.get(&key, BalancingChoice::default, start))
    }

    /// The policy of an inbound `port`: the default until the control plane answers.
    ///
    /// # Errors
    /// [`TooManyWatches`] when as many other ports are watched as may be.
    pub fn inbound(&self, port: u16) -> Result<Receiver<Arc<ServerPolicy>>, Full> {
        let default = || self.shared.config.inbound_default.of_port(port);
        let start = |tx| inbound::run(self.shared.clone(), port, tx);
        self.inbound.get(&port, default, start)
    }
}

fn unbounded<T>(watched: Result<Receiver<T>, Full>) -> Receiver<T> {
    watched.expect("this cache has no capacity to exceed")
}

/// A generator for one watch's jitter.
fn entropy() -> SmallRng {
    SmallRng::from_rng(&mut rand::rng())
}

#[cfg(test)]
mod tests;
