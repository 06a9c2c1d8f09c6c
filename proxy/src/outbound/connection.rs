//! One connection of the application.

use super::{Shared, explicit::Explicit, target::TargetStack};
use crate::{
    detect::{Detected, detect},
    http::Version,
    log::flood::sparsely,
    policy::{Protocol, Target},
    transport::{
        connect::track,
        io::{BoxIo, Io, Prefixed},
        listener::Accepted,
    },
};
use std::{net::SocketAddr, sync::Arc};
use tokio::time::Instant;

/// Serves the application's connections; clones are the same.
#[derive(Clone)]
pub struct Outbound(pub(super) Arc<Shared>);

impl Outbound {
    /// Serves one accepted connection to its end.
    pub async fn serve(self, accepted: Accepted) {
        let Accepted {
            stream,
            orig_dst,
            local,
            permit,
            ..
        } = accepted;
        match orig_dst {
            // The kernel redirected it and knows where it was going.
            Some(addr) => self.to_target(Target::Addr(addr), stream).await,
            // The application uses us as its HTTP proxy.
            None => self.to_named(local, stream).await,
        }
        drop(permit);
    }

    /// A connection whose target is known before its first byte.
    pub(super) async fn to_target(&self, target: Target, io: impl Io) {
        if self.is_loop(&target) {
            sparsely!(warn, %target, "Connection to our own outbound listener refused");
            return;
        }
        let target = self.0.target(&target).await;
        let routes = target.routes(&self.0.metrics);
        let io = track(io, &routes.metrics.tcp);
        routes.metrics.connection();
        match target.policy().protocol {
            // Server-first protocols wait for nothing on ports known to be opaque.
            Protocol::Opaque(_) | Protocol::Tls(_) => self.opaque(&target, io).await,
            Protocol::Http1(_) => self.http(target, Version::Http1, io).await,
            Protocol::Http2(_) => self.http(target, Version::H2, io).await,
            Protocol::Detect { timeout, .. } => {
                let start = Instant::now();
                let Ok((detected, io)) = detect(io, timeout).await else {
                    return;
                };
                routes.metrics.detected(&detected, start.elapsed());
                match detected {
                    Detected::Http1 => self.http(target, Version::Http1, io).await,
                    Detected::H2 => self.http(target, Version::H2, io).await,
                    Detected::Tls(_) | Detected::Opaque | Detected::TimedOut => {
                        self.opaque(&target, io).await;
                    }
                    Detected::Closed => {}
                }
            }
        }
    }

    /// A connection whose requests name their targets.
    async fn to_named(&self, local: SocketAddr, io: impl Io) {
        let io = track(io, &self.0.metrics.explicit(local));
        let start = Instant::now();
        let Ok((detected, io)) = detect(io, self.0.settings.detect_timeout).await else {
            return;
        };
        self.0.metrics.detected(&detected, start.elapsed());
        match detected {
            Detected::Http1 => self.explicit(Version::Http1, io).await,
            Detected::H2 => self.explicit(Version::H2, io).await,
            Detected::Closed => {}
            Detected::Tls(_) | Detected::Opaque | Detected::TimedOut => sparsely!(warn,
                %local,
                "Connection closed: it was not redirected here and speaks no HTTP, so its target is \
                 unknown; use this listener as HTTP proxy (http_proxy) with CONNECT for other protocols"
            ),
        }
    }

    async fn explicit<I: Io>(&self, version: Version, io: Prefixed<I>) {
        self.serve_http(version, Explicit::default(), BoxIo::new(io))
            .await;
    }

    async fn http(&self, target: Arc<TargetStack>, version: Version, io: impl Io) {
        self.serve_http(version, target, BoxIo::new(io)).await;
    }

    async fn opaque(&self, target: &TargetStack, io: impl Io) {
        super::tcp::forward(target, io, &self.0).await;
    }

    /// Whether a connection to `target` would come straight back to us.
    pub(super) fn is_loop(&self, target: &Target) -> bool {
        matches!(target, Target::Addr(addr) if self.0.settings.listeners.contains(addr))
    }
}

impl Shared {
    /// The stack of `target`, looked up if it is not known.
    pub(super) async fn target(&self, target: &Target) -> Arc<TargetStack> {
        if let Some(stack) = self.targets.get(target) {
            return stack;
        }
        let lookup = self.discovery.outbound(target).await;
        let is_watched = lookup.is_watched();
        let stack = || TargetStack::new(target, lookup, &self.metrics);
        if is_watched {
            self.targets.get_or_insert(target, stack)
        } else {
            Arc::new(stack())
        }
    }
}
