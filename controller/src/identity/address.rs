//! Where the identity service is.
//!
//! A name is looked up anew for each connection, since the pods behind a headless
//! Service come and go; its addresses are tried in turn. By hickory, as in the proxy:
//! a static glibc has no `getaddrinfo` that works.

use hickory_resolver::{Resolver, net::NetError};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};
use tokio::net::TcpStream;

/// For one address of several.
const CONNECT: Duration = Duration::from_secs(2);

/// An address and a port, or a DNS name and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

/// A text that is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected IP:PORT or NAME:PORT, for example mesh-identity-headless.mesh.svc.cluster.local.:8080"
)]
pub struct NoHostPort;

impl From<SocketAddr> for HostPort {
    fn from(addr: SocketAddr) -> Self {
        Self {
            host: Host::Ip(addr.ip()),
            port: addr.port(),
        }
    }
}

impl FromStr for HostPort {
    type Err = NoHostPort;

    fn from_str(text: &str) -> Result<Self, NoHostPort> {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Ok(addr.into());
        }
        let (name, port) = text.rsplit_once(':').ok_or(NoHostPort)?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let port = port.ok_or(NoHostPort)?;
        let label = |label: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !label.is_empty() && label.len() <= 63 && label.chars().all(fits)
        };
        let mut labels = name.strip_suffix('.').unwrap_or(name).split('.');
        // Four numbers that are no address are no name either.
        let numeric = name.chars().all(|c| c.is_ascii_digit() || c == '.');
        if numeric || name.len() > 254 || !labels.all(label) {
            return Err(NoHostPort);
        }
        Ok(Self {
            host: Host::Name(name.to_owned()),
            port,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl HostPort {
    /// A connection to the first address that answers, and that address.
    pub(super) async fn connect(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("{self} has no address"));
        for ip in self.addresses().await? {
            let addr = SocketAddr::new(ip, self.port);
            match tokio::time::timeout(CONNECT, TcpStream::connect(addr)).await {
                Ok(Ok(tcp)) => return Ok((tcp, addr)),
                Ok(Err(error)) => {
                    failure = io::Error::new(error.kind(), format!("{addr}: {error}"));
                }
                Err(late) => {
                    failure = io::Error::new(io::ErrorKind::TimedOut, format!("{addr}: {late}"))
                }
            }
        }
        Err(failure)
    }

    async fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        let name = match &self.host {
            Host::Ip(ip) => return Ok(vec![*ip]),
            Host::Name(name) => name,
        };
        let failed = |error: NetError| io::Error::other(format!("can't look up {name}: {error}"));
        // A new resolver has no cache, and the configuration of now.
        let resolver = Resolver::builder_tokio().and_then(|builder| builder.build());
        let found = resolver.map_err(failed)?.lookup_ip(name.as_str()).await;
        Ok(found.map_err(failed)?.iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn addresses_and_names() {
        for text in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "mesh-identity-headless.mesh.svc.cluster.local.:8080",
            "localhost:1",
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "identity",
            ":8080",
            "identity:0",
            "identity:http",
            "a..b:1",
            "http://a:1",
            "10.0.0.256:1",
            "::1:8080",
            ".:1",
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(NoHostPort), "{text}");
        }
    }

    #[tokio::test]
    async fn names_are_looked_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let by_name: HostPort = format!("localhost:{}", addr.port()).parse().unwrap();
        // `localhost` may have ::1 too, where nobody listens.
        assert_eq!(by_name.connect().await.unwrap().1, addr);
        drop(listener);
        let error = by_name.connect().await.unwrap_err().to_string();
        assert!(error.contains(&addr.port().to_string()), "{error}");
    }
}
