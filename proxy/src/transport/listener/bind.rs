//! Listening on an address, and why that is not possible.

use super::ListenerOptions;
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr};

/// An address can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {source}; {}", advice(.source))]
pub struct BindError {
    /// The address asked for.
    pub addr: SocketAddr,
    /// What the system said.
    pub source: io::Error,
}

/// A listening socket, and its address with the port the system gave for port 0.
pub(super) fn listen(
    addr: SocketAddr,
    options: ListenerOptions,
) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let socket = socket(addr)?;
    socket.set_reuse_port(options.reuse_port)?;
    options.sockets.apply(&socket)?;
    socket.bind(&addr.into())?;
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
    let tcp = std::net::TcpListener::from(socket);
    let local = tcp.local_addr()?;
    Ok((tcp, local))
}

/// Fails when somebody listens on `addr`: with `SO_REUSEPORT` the kernel would let
/// a second proxy of the same user take half of the first one's connections.
pub(super) fn check_free(addr: SocketAddr) -> io::Result<()> {
    socket(addr)?.bind(&addr.into())
}

fn socket(addr: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(addr), kind, Some(Protocol::TCP))?;
    // A restarted proxy must not wait for the old one's TIME_WAIT sockets.
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        // Whatever the host's default: `::` is both families, `::1` is one.
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    Ok(socket)
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
