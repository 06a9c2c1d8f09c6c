//! Which policy balances a service.
//!
//! Linkerd's API has no field for it, so it travels in a service of our own beside
//! the destination service. A controller without it (Linkerd's) answers
//! Unimplemented, which means the default.

use super::{Shared, cache::Publisher, entropy};
use crate::control::watch::{self, Event};
use api::balancing_client::BalancingClient;
use std::{convert::Infallible, sync::Arc};

/// `mesh.balancing.v1`, generated from `controller/api/balancing.proto`.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)]
pub(crate) mod api {
    include!("../generated/mesh.balancing.v1.rs");
}

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
    let open = move || {
        let mut client = BalancingClient::new(shared.channels.destination.clone());
        let request = request.clone();
        async move { client.watch(request).await }
    };
    let apply = move |event| {
        let choice = match event {
            Event::First(message) | Event::Next(message) => choice(&message),
            Event::Absent(_) => BalancingChoice::default(),
        };
        tx.send_if_modified(|current| {
            let changed = *current != choice;
            *current = choice;
            changed
        });
        Ok::<_, Infallible>(())
    };
    let what = format!("balancing of {authority}");
    watch::run(what, config, entropy(), open, apply).await
}

fn choice(policy: &api::BalancingPolicy) -> BalancingChoice {
    use api::balancing_policy::Kind;
    match policy.kind {
        // None at all, or one of a later version.
        None | Some(Kind::PeakEwma(_)) => BalancingChoice::PeakEwma,
        Some(Kind::RoundRobin(_)) => BalancingChoice::RoundRobin,
        Some(Kind::LeastRequest(_)) => BalancingChoice::LeastRequest,
        Some(Kind::Random(_)) => BalancingChoice::Random,
    }
}
