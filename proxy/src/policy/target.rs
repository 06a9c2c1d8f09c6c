//! What an outbound connection or request is for.

use std::{fmt, net::IpAddr, net::SocketAddr, str::FromStr, sync::Arc};

/// The original destination of a redirected connection, or the authority a
/// client named to the outbound listener as its HTTP proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// An address: `SO_ORIGINAL_DST`, or an IP literal as authority.
    Addr(SocketAddr),
    /// A name and port, resolved by the control plane, then DNS.
    Name(NameAddr),
}

/// A host name and port; the name is lower case, without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameAddr {
    host: Arc<str>,
    port: u16,
}

/// Why an authority is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{authority:?} is no target: {reason}; expected HOST:PORT or IP:PORT")]
pub struct InvalidTarget {
    authority: String,
    reason: &'static str,
}

impl Target {
    /// Reads `HOST`, `HOST:PORT`, `IP:PORT` or `[IPv6]:PORT`.
    ///
    /// # Errors
    /// Says what is wrong with `authority`; nothing is resolved here.
    pub fn parse(authority: &str, default_port: u16) -> Result<Self, InvalidTarget> {
        let err = |reason| InvalidTarget {
            authority: authority.chars().take(256).collect(),
            reason,
        };
        let (host, port) = split_port(authority, default_port).map_err(err)?;
        if port == 0 {
            return Err(err("port 0"));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = IpAddr::from_str(bare) {
            return Ok(Self::Addr(SocketAddr::new(ip, port)));
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        check_name(&host).map_err(err)?;
        Ok(Self::Name(NameAddr {
            host: host.into(),
            port,
        }))
    }

    /// The port, which the default opaque list and detection hints go by.
    pub fn port(&self) -> u16 {
        match self {
            Self::Addr(addr) => addr.port(),
            Self::Name(name) => name.port,
        }
    }
}

impl NameAddr {
    /// The host name, lower case, without a trailing dot.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn split_port(authority: &str, default_port: u16) -> Result<(&str, u16), &'static str> {
    let colon = match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => colon,
        _ => return Ok((authority, default_port)),
    };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    if host.contains(':') && !host.starts_with('[') {
        return Err("an IPv6 address needs brackets");
    }
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the port is no number");
    }
    match port.parse() {
        Ok(port) => Ok((host, port)),
        Err(_) => Err("the port is not in 1..65535"),
    }
}

/// RFC 1123 names, with `_` as DNS-SD and many clusters use it.
fn check_name(host: &str) -> Result<(), &'static str> {
    let ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    match host {
        "" => Err("the host is empty"),
        _ if host.len() > 253 => Err("the host is longer than 253 bytes"),
        _ if !host.bytes().all(ok) => Err("the host has a character no DNS name has"),
        _ if host
            .split('.')
            .any(|label| label.is_empty() || label.len() > 63) =>
        {
            Err("the host has an empty or overlong label")
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(addr) => addr.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_addresses() {
        for (text, shown) in [
            ("web.shop", "web.shop:80"),
            (
                "Web.Shop.svc.cluster.local.:8080",
                "web.shop.svc.cluster.local:8080",
            ),
            ("10.0.0.1:443", "10.0.0.1:443"),
            ("[::1]:443", "[::1]:443"),
            ("[fd00::2]", "[fd00::2]:80"),
        ] {
            assert_eq!(Target::parse(text, 80).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn names_what_is_wrong() {
        for (text, reason) in [
            ("", "empty"),
            ("web:", "not in 1..65535"),
            ("web:x", "no number"),
            ("web:+80", "no number"),
            ("web:65536", "not in 1..65535"),
            ("web:0", "port 0"),
            ("fd00::2:80", "brackets"),
            ("a b", "character"),
            ("a..b", "label"),
            ("user@web", "character"),
        ] {
            let err = Target::parse(text, 80).unwrap_err().to_string();
            assert!(err.contains(reason), "{text:?}: {err}");
        }
    }
}
