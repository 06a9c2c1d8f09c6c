//! Policies for what the control plane has no policy for.
//!
//! An unknown target is forwarded as it is, never blackholed: a mesh that breaks
//! what it does not know can't be introduced one workload at a time.

use crate::policy::{
    Backend, Dispatch, EndpointMeta, Metadata, OutboundPolicy, PeakEwma, Protocol, Queue, Route,
    RouteAction,
};
use http::StatusCode;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// How connections are treated by a synthesised policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Detect within this time.
    Detect(Duration),
    /// Bytes.
    Opaque,
}

/// Forwards to one address.
pub(super) fn forward(
    parent: Arc<Metadata>,
    mode: Mode,
    addr: SocketAddr,
    meta: Arc<EndpointMeta>,
) -> OutboundPolicy {
    dispatch(parent, mode, Dispatch::Forward { addr, meta })
}

/// Balances over the endpoints of `authority`.
pub(super) fn balance(parent: Arc<Metadata>, mode: Mode, authority: Arc<str>) -> OutboundPolicy {
    let ewma = PeakEwma::default();
    dispatch(parent, mode, Dispatch::Balance { authority, ewma })
}

/// Refuses everything.
pub(super) fn fail(
    parent: Arc<Metadata>,
    mode: Mode,
    status: StatusCode,
    message: &str,
) -> OutboundPolicy {
    let message = message.into();
    policy(parent, mode, RouteAction::Fail { status, message })
}

fn dispatch(parent: Arc<Metadata>, mode: Mode, dispatch: Dispatch) -> OutboundPolicy {
    let backend = Backend {
        meta: parent.clone(),
        queue: Queue::default(),
        dispatch,
    };
    policy(
        parent,
        mode,
        RouteAction::Dispatch(vec![(Arc::new(backend), 1)]),
    )
}

fn policy(parent: Arc<Metadata>, mode: Mode, action: RouteAction) -> OutboundPolicy {
    let meta = Metadata::of_default("fallback");
    let route = Arc::new(Route { meta, action });
    let protocol = match mode {
        Mode::Opaque => Protocol::Opaque(route),
        Mode::Detect(timeout) => Protocol::Detect {
            timeout,
            http1: route.clone(),
            http2: route.clone(),
            opaque: route,
        },
    };
    OutboundPolicy { parent, protocol }
}
