//! What two answers about one target mean together.
//!
//! The policy service knows Services and routes, the destination service knows
//! pods and opaque ports, and either may be silent. The rules, in order: a policy
//! wins, made opaque when the profile says so; without one, the profile's endpoint
//! or service; without either, the target as it is. Both are waited for as long as
//! there is patience, so that a connection does not go past mutual TLS only
//! because one answer took a little longer.

use super::{
    convert::profile::Profile,
    endpoints::Endpoint,
    synthesize::{self, Mode},
};
use crate::{
    control::watch::Answer,
    policy::{
        Backend, Dispatch, EndpointMeta, Metadata, OutboundPolicy, Protocol, Route, RouteAction,
        Target,
    },
};
use std::{sync::Arc, time::Duration};

/// What to do with a target.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// Too early to say.
    Wait,
    /// This.
    Use(OutboundPolicy),
    /// Forward it as it is.
    AsItIs {
        /// As bytes or not.
        mode: Mode,
        /// Whether the control plane said that it knows nothing, not just nothing.
        told: bool,
    },
}

/// Joins the answers; `patient` until the initial timeout.
pub(super) fn decide(
    target: &Target,
    policy: &Answer<OutboundPolicy>,
    profile: &Answer<Profile>,
    patient: bool,
    detect_timeout: Duration,
) -> Decision {
    let waiting = *policy == Answer::Waiting || *profile == Answer::Waiting;
    if waiting && patient {
        return Decision::Wait;
    }
    let detect = Mode::Detect(detect_timeout);
    match (policy, profile) {
        (Answer::Known(policy), Answer::Known(profile)) => {
            Decision::Use(with_profile(policy.clone(), profile))
        }
        (Answer::Known(policy), _) => Decision::Use(policy.clone()),
        (_, Answer::Known(profile)) => {
            let mode = if profile.opaque { Mode::Opaque } else { detect };
            of_profile(target, profile, mode, !waiting)
        }
        _ => Decision::AsItIs {
            mode: detect,
            told: !waiting,
        },
    }
}

fn of_profile(target: &Target, profile: &Profile, mode: Mode, told: bool) -> Decision {
    let parent = || {
        let parent = profile.parent.clone();
        parent.unwrap_or_else(|| Metadata::of_default("fallback"))
    };
    if let Some(Endpoint { addr, meta, .. }) = &profile.endpoint {
        return Decision::Use(synthesize::forward(parent(), mode, *addr, meta.clone()));
    }
    if let Some(name) = &profile.name {
        let authority = format!("{name}:{}", target.port()).into();
        return Decision::Use(synthesize::balance(parent(), mode, authority));
    }
    Decision::AsItIs { mode, told }
}

fn with_profile(mut policy: OutboundPolicy, profile: &Profile) -> OutboundPolicy {
    if profile.opaque {
        policy.protocol = Protocol::Opaque(opaque_route(&policy.protocol));
    }
    if let Some(endpoint) = &profile.endpoint {
        policy.protocol = map_routes(policy.protocol, |route| with_endpoint(route, endpoint));
    }
    policy
}

/// The route of connections that are bytes, where the policy did not expect any.
fn opaque_route(protocol: &Protocol) -> Arc<Route> {
    match protocol {
        Protocol::Detect { opaque, .. } => opaque.clone(),
        Protocol::Http1(route)
        | Protocol::Http2(route)
        | Protocol::Opaque(route)
        | Protocol::Tls(route) => route.clone(),
    }
}

fn map_routes(protocol: Protocol, map: impl Fn(Arc<Route>) -> Arc<Route>) -> Protocol {
    match protocol {
        Protocol::Detect {
            timeout,
            http1,
            http2,
            opaque,
        } => Protocol::Detect {
            timeout,
            http1: map(http1),
            http2: map(http2),
            opaque: map(opaque),
        },
        Protocol::Http1(route) => Protocol::Http1(map(route)),
        Protocol::Http2(route) => Protocol::Http2(map(route)),
        Protocol::Opaque(route) => Protocol::Opaque(map(route)),
        Protocol::Tls(route) => Protocol::Tls(map(route)),
    }
}

/// A policy that forwards to an address says nothing of the peer there; the
/// profile may. What the policy refuses stays refused.
fn with_endpoint(route: Arc<Route>, endpoint: &Endpoint) -> Arc<Route> {
    let RouteAction::Dispatch(backends) = &route.action else {
        return route;
    };
    let known = |backend: &Arc<Backend>| match &backend.dispatch {
        Dispatch::Forward { addr, meta }
            if *addr == endpoint.addr && **meta == EndpointMeta::default() =>
        {
            Arc::new(Backend {
                dispatch: Dispatch::Forward {
                    addr: *addr,
                    meta: endpoint.meta.clone(),
                },
                ..(**backend).clone()
            })
        }
        _ => backend.clone(),
    };
    let backends = backends
        .iter()
        .map(|(backend, weight)| (known(backend), *weight));
    Arc::new(Route {
        meta: route.meta.clone(),
        action: RouteAction::Dispatch(backends.collect()),
    })
}
