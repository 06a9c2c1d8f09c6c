//! The listeners of both directions, and what they accept.

use crate::{
    config::{Config, DirectionConfig},
    inbound::Inbound,
    metrics::LimitMetrics,
    outbound::Outbound,
    transport::{
        listener::{Accepted, BindError, Listener, ListenerOptions, Place},
        orig_dst::OriginalDst,
    },
};
use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc};
use tokio::task::JoinSet;

/// Where accepted connections go.
#[derive(Clone)]
pub(super) struct Paths {
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
}

/// Bound listeners of one thread.
pub(super) struct Listeners {
    inbound: Listener,
    outbound: Vec<Listener>,
}

/// Where the same listeners are to be in another thread.
#[derive(Clone)]
pub(super) struct Places {
    inbound: Place,
    outbound: Vec<Place>,
}

impl Listeners {
    /// The first thread's; `inbound` and `outbound` count when they are full.
    pub(super) fn bind(
        config: &Config,
        inbound: &LimitMetrics,
        outbound: &LimitMetrics,
    ) -> Result<Self, BindError> {
        let bind = |addr, direction: &DirectionConfig, limits: &LimitMetrics| {
            let listener = Listener::bind(addr, options(direction, config.cores))?;
            Ok(listener.count_full(limits.connections_full.clone()))
        };
        let (peers, apps) = (&config.inbound, &config.outbound);
        let apps_listen = apps.listen.iter();
        Ok(Self {
            inbound: bind(peers.listen, &peers.common, inbound)?,
            outbound: apps_listen
                .map(|addr| bind(*addr, &apps.common, outbound))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Asks these instead of the kernel where connections were meant to go.
    pub(super) fn redirected_by(
        self,
        inbound: &Arc<dyn OriginalDst>,
        outbound: &Arc<dyn OriginalDst>,
    ) -> Self {
        let apps = self.outbound.into_iter();
        Self {
            inbound: self.inbound.redirected_by(inbound.clone()),
            outbound: apps
                .map(|listener| listener.redirected_by(outbound.clone()))
                .collect(),
        }
    }

    pub(super) fn inbound_addr(&self) -> SocketAddr {
        self.inbound.local_addr()
    }

    pub(super) fn outbound_addrs(&self) -> Vec<SocketAddr> {
        self.outbound.iter().map(Listener::local_addr).collect()
    }

    pub(super) fn places(&self) -> Places {
        let place = |listener: &Listener| listener.place().clone();
        Places {
            inbound: place(&self.inbound),
            outbound: self.outbound.iter().map(place).collect(),
        }
    }

    /// Accepts on all listeners until dropped; the connections go on.
    pub(super) async fn serve(self, Paths { inbound, outbound }: Paths) {
        let mut loops = JoinSet::new();
        loops.spawn(accept(self.inbound, move |accepted| {
            inbound.clone().serve(accepted)
        }));
        for listener in self.outbound {
            let outbound = outbound.clone();
            loops.spawn(accept(listener, move |accepted| {
                outbound.clone().serve(accepted)
            }));
        }
        drop(outbound);
        while loops.join_next().await.is_some() {}
    }
}

impl Places {
    /// Listens there as well, in this thread's runtime.
    pub(super) fn listen(self) -> Result<Listeners, BindError> {
        Ok(Listeners {
            inbound: self.inbound.listen()?,
            outbound: self
                .outbound
                .into_iter()
                .map(Place::listen)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Each of several threads has its part of the connections, as the kernel spreads
/// them evenly and can't be told who has room.
fn options(config: &DirectionConfig, threads: NonZeroUsize) -> ListenerOptions {
    ListenerOptions {
        sockets: config.accept,
        backlog: config.backlog,
        reuse_port: threads.get() > 1,
        max_connections: config.max_connections.div_ceil(threads.get()),
    }
}

async fn accept<F>(listener: Listener, serve: impl Fn(Accepted) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let accepted = listener.accept().await;
        tokio::spawn(serve(accepted));
    }
}
