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

use super::orig_dst::{Kernel, OriginalDst, normalise};
use metrics::Counter;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
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
    /// Lets several listeners share the address, the kernel spreading
    /// connections over them: one for each core's runtime.
    pub reuse_port: bool,
    /// Connections open at once; more wait in the kernel's queue.
    pub max_connections: usize,
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    local: SocketAddr,
    slots: Arc<Semaphore>,
    max_connections: usize,
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

/// An address can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {source}; {}", advice(.source))]
pub struct BindError {
    /// The address asked for.
    pub addr: SocketAddr,
    /// What the system said.
    pub source: io::Error,
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
        let (tcp, local) = listen(addr, options).map_err(|source| BindError { addr, source })?;
        let max_connections = options.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            tcp,
            local,
            slots: Arc::new(Semaphore::new(max_connections)),
            max_connections,
            full: Counter::noop(),
            redirected: Arc::new(Kernel),
        })
    }

    /// Counts in `full` each time the limit made the listener stop accepting.
    #[must_use]
    pub fn count_full(mut self, full: Counter) -> Self {
        self.full = full;
        self
    }

    /// Asks `redirected` instead of the kernel where connections were meant to go.
    #[must_use]
    pub fn redirected_by(mut self, redirected: Arc<dyn OriginalDst>) -> Self {
        self.redirected = redirected;
        self
    }

    /// The address listened on, with the port the system gave for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The next connection. Never fails, see above; may be dropped at any time.
    pub async fn accept(&self) -> Accepted {
        let permit = self.slot().await;
        let mut pause = PAUSE_MIN;
        loop {
            match self.accept_one().await {
                Ok((stream, client, local)) => {
                    let orig_dst = self.redirected.original_dst(&stream, local);
                    return Accepted {
                        stream,
                        client,
                        local,
                        orig_dst,
                        permit,
                    };
                }
                Err(error) if of_connection(&error) => {
                    debug!(listener = %self.local, %error, "Connection lost before it was accepted");
                }
                Err(error) => {
                    warn!(listener = %self.local, %error, ?pause, "Cannot accept connections");
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
        self.full.increment(1);
        let max = self.max_connections;
        warn!(listener = %self.local, max, "Connection limit reached; waiting for one to close");
        let slot = self.slots.clone().acquire_owned().await;
        slot.expect("the semaphore is never closed")
    }
}

fn listen(addr: SocketAddr, options: ListenerOptions) -> io::Result<(TcpListener, SocketAddr)> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(addr), kind, Some(Protocol::TCP))?;
    // A restarted proxy must not wait for the old one's TIME_WAIT sockets.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(options.reuse_port)?;
    if addr.is_ipv6() {
        // Whatever the host's default: `::` is both families, `::1` is one.
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    options.sockets.apply(&socket)?;
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let tcp = TcpListener::from_std(socket.into())?;
    let local = tcp.local_addr()?;
    Ok((tcp, local))
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

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there (`ss -ltnp` names it): stop it or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => {
            "the address is not of this host, or its family is turned off: choose one that `ip addr` shows"
        }
        io::ErrorKind::PermissionDenied => {
            "the port is privileged or the address reserved: choose a port from 1024 up"
        }
        _ => "check the address, the open file limit (`ulimit -n`) and the host's IPv6 setting",
    }
}

#[cfg(test)]
mod tests;
