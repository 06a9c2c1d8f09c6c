//! The watch of one outbound target: two streams, their join, and DNS behind them.

use super::{
    Shared,
    cache::Publisher,
    convert::{self, profile::Profile},
    entropy,
    follow::Follow,
    join::{self, Decision},
    synthesize::{self, Mode},
};
use crate::{
    control::{
        DnsError,
        watch::{self, Answer},
    },
    policy::{EndpointMeta, Metadata, OutboundPolicy, Target},
};
use http::StatusCode;
use linkerd2_proxy_api::{
    destination::{GetDestination, destination_client::DestinationClient},
    outbound::{TrafficSpec, outbound_policies_client::OutboundPoliciesClient, traffic_spec},
};
use std::{convert::Infallible, future::pending, net::SocketAddr, sync::Arc};
use tokio::sync::watch::{Receiver, Sender, channel};

/// What a lookup of a target yields; `None` until the first decision.
pub(super) type Published = Option<Arc<OutboundPolicy>>;

/// Watches `target` and publishes what to do with it.
pub(super) async fn run(
    shared: Arc<Shared>,
    target: Target,
    tx: Publisher<Published>,
) -> Infallible {
    let (policy_tx, policy) = channel(Answer::Waiting);
    let (profile_tx, profile) = channel(Answer::Waiting);
    tokio::select! {
        never = policies(shared.clone(), target.clone(), policy_tx) => never,
        never = profiles(shared.clone(), target.clone(), profile_tx) => never,
        never = join(shared, target, policy, profile, tx) => never,
    }
}

async fn policies(
    shared: Arc<Shared>,
    target: Target,
    tx: Sender<Answer<OutboundPolicy>>,
) -> Infallible {
    let spec = TrafficSpec {
        source_workload: shared.config.workload.to_string(),
        target: Some(match &target {
            Target::Addr(addr) => traffic_spec::Target::Addr((*addr).into()),
            Target::Name(name) => traffic_spec::Target::Authority(name.to_string()),
        }),
    };
    let config = shared.config.watch;
    let detect_timeout = shared.config.detect_timeout;
    let open = move || {
        let mut client = OutboundPoliciesClient::new(shared.channels.policy.clone());
        let spec = spec.clone();
        async move { client.watch(spec).await }
    };
    let convert = move |message| convert::outbound::policy(message, detect_timeout);
    let what = format!("outbound policy of {target}");
    watch::run(what, config, entropy(), open, watch::publish(tx, convert)).await
}

async fn profiles(shared: Arc<Shared>, target: Target, tx: Sender<Answer<Profile>>) -> Infallible {
    let request = GetDestination {
        scheme: "k8s".into(),
        path: target.to_string(),
        context_token: shared.config.context.to_string(),
    };
    let config = shared.config.watch;
    let open = move || {
        let mut client = DestinationClient::new(shared.channels.destination.clone());
        let request = request.clone();
        async move { client.get_profile(request).await }
    };
    let what = format!("profile of {target}");
    let publish = watch::publish(tx, convert::profile::profile);
    watch::run(what, config, entropy(), open, publish).await
}

async fn join(
    shared: Arc<Shared>,
    target: Target,
    mut policy: Receiver<Answer<OutboundPolicy>>,
    mut profile: Receiver<Answer<Profile>>,
    tx: Publisher<Published>,
) -> Infallible {
    let patience = tokio::time::sleep(shared.config.initial_timeout);
    tokio::pin!(patience);
    let mut patient = true;
    let mut name = ByName::default();
    loop {
        let decision = {
            let (policy, profile) = (policy.borrow_and_update(), profile.borrow_and_update());
            let detect_timeout = shared.config.detect_timeout;
            join::decide(&target, &policy, &profile, patient, detect_timeout)
        };
        if let Some(policy) = name.policy(&shared, &target, decision) {
            publish(&tx, policy);
        }
        tokio::select! {
            Ok(()) = policy.changed() => {}
            Ok(()) = profile.changed() => {}
            () = &mut patience, if patient => patient = false,
            () = name.changed() => {}
        }
    }
}

fn publish(tx: &Sender<Published>, policy: OutboundPolicy) {
    tx.send_if_modified(|current| {
        let changed = current.as_deref() != Some(&policy);
        if changed {
            *current = Some(Arc::new(policy));
        }
        changed
    });
}

/// The address of a target's name, followed only while it is needed.
#[derive(Default)]
struct ByName {
    follow: Option<Follow>,
    answer: Option<Result<SocketAddr, DnsError>>,
}

impl ByName {
    /// Carries a decision out; `None` while there is nothing to publish.
    fn policy(
        &mut self,
        shared: &Shared,
        target: &Target,
        decision: Decision,
    ) -> Option<OutboundPolicy> {
        let (mode, told) = match decision {
            Decision::AsItIs { mode, told } => (mode, told),
            Decision::Wait => return None,
            Decision::Use(policy) => {
                *self = Self::default();
                return Some(policy);
            }
        };
        let name = match target {
            Target::Addr(addr) => return Some(as_it_is(mode, *addr)),
            Target::Name(name) => name,
        };
        let retry = shared.config.watch.ask_again;
        self.follow
            .get_or_insert_with(|| Follow::new(name.clone(), shared.dns.clone(), retry));
        match self.answer.as_ref()? {
            Ok(addr) => Some(as_it_is(mode, *addr)),
            Err(error) => Some(unresolved(mode, error, told)),
        }
    }

    async fn changed(&mut self) {
        match &mut self.follow {
            Some(follow) => self.answer = Some(follow.next().await),
            None => pending().await,
        }
    }
}

fn as_it_is(mode: Mode, addr: SocketAddr) -> OutboundPolicy {
    let meta = Arc::new(EndpointMeta::default());
    synthesize::forward(Metadata::of_default("as-it-is"), mode, addr, meta)
}

fn unresolved(mode: Mode, error: &DnsError, told: bool) -> OutboundPolicy {
    let parent = Metadata::of_default("unresolved");
    if told {
        let message = format!("no service of the mesh has this name, and {error}");
        return synthesize::fail(parent, mode, StatusCode::BAD_GATEWAY, &message);
    }
    let message = format!("the control plane has not answered, and {error}");
    synthesize::fail(parent, mode, StatusCode::SERVICE_UNAVAILABLE, &message)
}
