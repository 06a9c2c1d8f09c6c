//! Where a redirected connection was meant to go.
//!
//! netfilter's REDIRECT rewrites the destination of a connection to our own
//! listener and remembers the first one; `SO_ORIGINAL_DST` asks for it. Which
//! of its two forms works is decided by the address the client used, not by
//! the socket's family: a dual-stack socket holding an IPv4-mapped connection
//! answers the IPv4 form only.

use socket2::SockRef;
use std::net::{IpAddr, SocketAddr};
use tokio::net::TcpStream;

/// Tells where a redirected connection was meant to go.
///
/// The kernel does, in production; a test says it by itself, so that the paths of
/// redirected connections run without netfilter.
pub trait OriginalDst: std::fmt::Debug + Send + Sync {
    /// The destination of `stream`, accepted on `local`; `None` when it was not
    /// redirected.
    fn original_dst(&self, stream: &TcpStream, local: SocketAddr) -> Option<SocketAddr>;
}

/// Asks `SO_ORIGINAL_DST`.
#[derive(Clone, Copy, Debug)]
pub struct Kernel;

impl OriginalDst for Kernel {
    fn original_dst(&self, stream: &TcpStream, local: SocketAddr) -> Option<SocketAddr> {
        original_dst(stream, local)
    }
}

/// The destination before redirection, or `None` when `stream` was not
/// redirected: the kernel knows no other destination than `local`.
///
/// `local` is the address the connection was accepted on, as [`normalise`]d.
fn original_dst(stream: &TcpStream, local: SocketAddr) -> Option<SocketAddr> {
    let socket = SockRef::from(stream);
    let found = match local {
        SocketAddr::V4(_) => socket.original_dst_v4(),
        SocketAddr::V6(_) => socket.original_dst_v6(),
    };
    // ENOENT without a conntrack entry, ENOPROTOOPT without netfilter.
    let orig_dst = normalise(found.ok()?.as_socket()?);
    (orig_dst != local).then_some(orig_dst)
}

/// `addr` with an IPv4-mapped IPv6 address written as IPv4, so that one
/// endpoint has one spelling in policy, metrics and logs.
pub(crate) fn normalise(addr: SocketAddr) -> SocketAddr {
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, addr.port())),
        // Kept as it is: a link-local address needs its scope.
        IpAddr::V6(_) => addr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_become_ipv4() {
        for (from, to) in [
            ("[::ffff:10.1.2.3]:80", "10.1.2.3:80"),
            ("[fd00::1]:80", "[fd00::1]:80"),
            ("[fe80::1%3]:80", "[fe80::1%3]:80"),
            ("10.1.2.3:80", "10.1.2.3:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            let from: SocketAddr = from.parse().unwrap();
            assert_eq!(normalise(from), to.parse().unwrap());
        }
    }

    #[tokio::test]
    async fn a_direct_connection_has_none() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let (_client, accepted) = tokio::join!(TcpStream::connect(local), listener.accept());
        assert_eq!(original_dst(&accepted.unwrap().0, local), None);
    }
}
