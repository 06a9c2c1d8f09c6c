//! Which policy balances a service.
//!
//! Linkerd's API has no field for it, so it travels in a service of our own beside
//! the destination service. A controller without it (Linkerd's) answers
//! Unimplemented, which means the default.

use super::{Shared, cache::Publisher, convert::Invalid, entropy};
use crate::control::watch::{self, Event};
use std::{convert::Infallible, sync::Arc};

pub(crate) mod api;

/// A policy of `mesh-balancer`; its parameters are in the outbound policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BalancingChoice {
    /// The better of two by peak-EWMA latency; the default.
    #[default]
    PeakEwma,
    /// In turn.
    RoundRobin,
    /// The better of two by requests in flight.
    LeastRequest,
    /// Any.
    Random,
}

/// Watches the choice for `authority`.
pub(super) async fn run(
    shared: Arc<Shared>,
    authority: Arc<str>,
    tx: Publisher<BalancingChoice>,
) -> Infallible {
    let request = api::WatchRequest {
        authority: authority.to_string(),
        context_token: shared.config.context.to_string(),
    };
    let config = shared.config.watch;
    let open = move || api::watch(shared.channels.destination.clone(), request.clone());
    let apply = move |event| {
        let choice = match event {
            Event::First(message) | Event::Next(message) => choice(&message)?,
            Event::Absent(_) => BalancingChoice::default(),
        };
        tx.send_if_modified(|current| {
            let changed = *current != choice;
            *current = choice;
            changed
        });
        Ok::<_, Invalid>(())
    };
    let what = format!("balancing of {authority}");
    watch::run(what, config, entropy(), open, apply).await
}

fn choice(policy: &api::BalancingPolicy) -> Result<BalancingChoice, Invalid> {
    use api::balancing_policy::Kind;
    // A kind of a later version reads as none.
    let kind = policy
        .kind
        .as_ref()
        .ok_or_else(|| Invalid::missing("kind"))?;
    Ok(match kind {
        Kind::PeakEwma(_) => BalancingChoice::PeakEwma,
        Kind::RoundRobin(_) => BalancingChoice::RoundRobin,
        Kind::LeastRequest(_) => BalancingChoice::LeastRequest,
        Kind::Random(_) => BalancingChoice::Random,
    })
}
