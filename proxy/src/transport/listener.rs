//! The accept loop: one connection after the other, whatever goes wrong.
//!
//! Three things end accept loops in practice. An error that belongs to one
//! connection (the client hung up while queued) taken for one of the listener;
//! a lack of file descriptors, on which a loop spins or dies; and no limit at
//! all, until memory is gone. So [`Listener::accept`] returns no error: what
//! belongs to a connection is skipped, what belongs to the process is waited
//! out, and at the limit it stops taking connections, which leaves the next
//! ones in the kernel's bounded queue, where the client sees a slow connect
//! and no reset.
//!
//! Socket options are set once, on the listening socket: Linux copies them to
//! every connection it accepts, which saves three system calls for each.

mod bind;

pub use bind::BindError;

use super::orig_dst::{Kernel, OriginalDst, normalise};
use metrics::Counter;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, warn};

/// First pause after an error of the process; doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// Longest pause: what a client waits in the worst case once it is over.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What is set on every TCP socket, accepted or connected. `TCP_NODELAY` always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// Idle time before the first keepalive probe, and between probes.
    pub keepalive: Option<Duration>,
    /// How long sent data may stay unacknowledged (`TCP_USER_TIMEOUT`).
    pub user_timeout: Option<Duration>,
}

/// How a [`Listener`] listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerOptions {
    /// Options of the accepted sockets.
    pub sockets: SocketOptions,
    /// Connections the kernel queues before they are accepted.
    pub backlog: u32,
    /// Lets further listeners of this process share the address (see [`Place`]).
    pub reuse_port: bool,
    /// Connections of this listener open at once; more wait in the kernel's queue.
    pub max_connections: usize,
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    slots: Arc<Semaphore>,
    place: Place,
}

/// Where and how a [`Listener`] listens. With `reuse_port` a further listener can
/// be made of it for each thread's runtime, and the kernel spreads connections
/// over them by a hash of their addresses.
#[derive(Clone, Debug)]
pub struct Place {
    addr: SocketAddr,
    options: ListenerOptions,
    full: Counter,
    redirected: Arc<dyn OriginalDst>,
}

/// One accepted connection.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub stream: TcpStream,
    /// The client's address. IPv4-mapped IPv6 is written as IPv4, here and below.
    pub client: SocketAddr,
    /// The address the connection was accepted on.
    pub local: SocketAddr,
    /// Where the client meant to go; `None` when it was not redirected here.
    pub orig_dst: Option<SocketAddr>,
    /// The connection's place under the limit: keep it as long as the connection.
    pub permit: OwnedSemaphorePermit,
}

impl SocketOptions {
    /// Sets the options on `socket`.
    ///
    /// # Errors
    /// What the system says; only a socket that is closed, or isn't TCP, refuses them.
    pub fn apply(&self, socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        socket.set_tcp_nodelay(true)?;
        if let Some(idle) = self.keepalive {
            let probes = TcpKeepalive::new().with_time(idle).with_interval(idle);
            socket.set_tcp_keepalive(&probes)?;
        }
        if self.user_timeout.is_some() {
            socket.set_tcp_user_timeout(self.user_timeout)?;
        }
        Ok(())
    }
}

impl Listener {
    /// Listens on `addr`; port 0 takes a free port, see [`Listener::local_addr`].
    /// An unspecified IPv6 address takes IPv4 as well. Must run inside a runtime.
    ///
    /// # Errors
    /// The address is taken, not ours, not allowed, or out of the system's limits.
    pub fn bind(addr: SocketAddr, options: ListenerOptions) -> Result<Self, BindError> {
        if options.reuse_port {
            bind::check_free(addr).map_err(|source| BindError { addr, source })?;
        }
        let place = Place {
            addr,
            options,
            full: Counter::noop(),
            redirected: Arc::new(Kernel),
        };
        place.listen()
    }

    /// Counts in `full` each time the limit made the listener stop accepting.
    #[must_use]
    pub fn count_full(mut self, full: Counter) -> Self {
        self.place.full = full;
        self
    }

    /// Asks `redirected` instead of the kernel where connections were meant to go.
    #[must_use]
    pub fn redirected_by(mut self, redirected: Arc<dyn OriginalDst>) -> Self {
        self.place.redirected = redirected;
        self
    }

    /// The address listened on, with the port the system gave for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.place.addr
    }

    /// What further listeners are made of.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The next connection. Never fails, see above; may be dropped at any time.
    pub async fn accept(&self) -> Accepted {
        let permit = self.slot().await;
        let mut pause = PAUSE_MIN;
        loop {
            match self.accept_one().await {
                Ok((stream, client, local)) => {
                    let orig_dst = self.place.redirected.original_dst(&stream, local);
                    return Accepted {
                        stream,
                        client,
                        local,
                        orig_dst,
                        permit,
                    };
                }
                Err(error) if of_connection(&error) => {
                    debug!(listener = %self.place.addr, %error, "Connection lost before it was accepted");
                }
                Err(error) => {
                    warn!(listener = %self.place.addr, %error, ?pause, "Cannot accept connections");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn accept_one(&self) -> io::Result<(TcpStream, SocketAddr, SocketAddr)> {
        let (stream, client) = self.tcp.accept().await?;
        let local = stream.local_addr()?;
        Ok((stream, normalise(client), normalise(local)))
    }

    async fn slot(&self) -> OwnedSemaphorePermit {
        if let Ok(permit) = self.slots.clone().try_acquire_owned() {
            return permit;
        }
        self.place.full.increment(1);
        let max = self.place.options.max_connections;
        warn!(listener = %self.place.addr, max, "Connection limit reached; waiting for one to close");
        let slot = self.slots.clone().acquire_owned().await;
        slot.expect("the semaphore is never closed")
    }
}

impl Place {
    /// Listens there. Must run inside of the runtime that is to accept.
    ///
    /// # Errors
    /// As for [`Listener::bind`].
    pub fn listen(mut self) -> Result<Listener, BindError> {
        let addr = self.addr;
        let listen = || {
            let (tcp, local) = bind::listen(addr, self.options)?;
            Ok((TcpListener::from_std(tcp)?, local))
        };
        let (tcp, local) = listen().map_err(|source| BindError { addr, source })?;
        self.addr = local;
        self.options.max_connections = self
            .options
            .max_connections
            .clamp(1, Semaphore::MAX_PERMITS);
        Ok(Listener {
            tcp,
            slots: Arc::new(Semaphore::new(self.options.max_connections)),
            place: self,
        })
    }
}

/// Whether an accept error is of the one connection that was next in the
/// queue. accept(2) reports there what the network did to it.
fn of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | ConnectionRefused
            | NotConnected
            | TimedOut
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | HostUnreachable
    )
}

#[cfg(test)]
mod tests;
