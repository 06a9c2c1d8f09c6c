//! What a client asks for: an address, or the name of a service.
//!
//! A name may be written `SVC.NS`, `SVC.NS.svc` or `SVC.NS.svc.DOMAIN`, each
//! with `HOST.` before it for one pod of a headless service. Linkerd takes only
//! the longest form; the short ones are what people type into an HTTP proxy and
//! cost nothing, since a name that is no service we know is answered by
//! NotFound either way and then looked up in DNS.

use std::net::{IpAddr, SocketAddr};

/// A parsed authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    Address(SocketAddr),
    Service(ServiceName),
    /// A proper name, but not of the form of a service's.
    Other(String),
}

/// The name of a service, and the port asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ServiceName {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// One pod of a headless service.
    pub(crate) hostname: Option<String>,
    pub(crate) port: u16,
}

/// The text is no authority at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid authority {text:?}: {why}; expected NAME.NAMESPACE[.svc.DOMAIN][:PORT] or IP:PORT"
)]
pub(crate) struct BadAuthority {
    text: String,
    why: &'static str,
}

/// The port when none is given: HTTP's, as Linkerd.
const DEFAULT_PORT: u16 = 80;

impl Authority {
    pub(crate) fn parse(text: &str, domain: &str) -> Result<Self, BadAuthority> {
        let bad = |why| BadAuthority {
            text: text.chars().take(300).collect(),
            why,
        };
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Address(SocketAddr::new(ip, DEFAULT_PORT)));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match address.port() {
                0 => Err(bad("port 0")),
                _ => Ok(Self::Address(address)),
            };
        }
        let (host, port) = match text.rsplit_once(':') {
            None => (text, DEFAULT_PORT),
            Some((host, port)) => match port.parse() {
                Ok(port) if port > 0 => (host, port),
                _ => return Err(bad("the port is not between 1 and 65535")),
            },
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if !is_name(&host) {
            return Err(bad("the host is neither an IP address nor a DNS name"));
        }
        Ok(service(&host, domain, port).map_or(Self::Other(host), Self::Service))
    }
}

fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.split('.').all(label)
}

fn service(host: &str, domain: &str, port: u16) -> Option<ServiceName> {
    let host = host
        .strip_suffix(domain)
        .and_then(|host| host.strip_suffix(".svc."))
        .or_else(|| host.strip_suffix(".svc"))
        .unwrap_or(host);
    let labels: Vec<&str> = host.split('.').collect();
    let (hostname, name, namespace) = match labels[..] {
        [name, namespace] => (None, name, namespace),
        [hostname, name, namespace] => (Some(hostname.to_owned()), name, namespace),
        _ => return None,
    };
    Some(ServiceName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        hostname,
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = parse(&text);
        }
    }

    fn parse(text: &str) -> Result<Authority, BadAuthority> {
        Authority::parse(text, "cluster.local")
    }

    fn name(hostname: Option<&str>, port: u16) -> Authority {
        Authority::Service(ServiceName {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            hostname: hostname.map(str::to_owned),
            port,
        })
    }

    #[test]
    fn every_form_of_a_service_name() {
        for text in [
            "web.shop",
            "web.shop.svc",
            "WEB.shop.svc.cluster.local",
            "web.shop.",
        ] {
            assert_eq!(parse(text), Ok(name(None, 80)), "{text}");
            assert_eq!(parse(&format!("{text}:81")), Ok(name(None, 81)), "{text}");
        }
        for text in ["web-1.web.shop", "web-1.web.shop.svc.cluster.local"] {
            assert_eq!(parse(text), Ok(name(Some("web-1"), 80)), "{text}");
        }
    }

    #[test]
    fn addresses_and_other_names() {
        let address = |text: &str| Ok(Authority::Address(text.parse().unwrap()));
        assert_eq!(parse("10.0.0.1"), address("10.0.0.1:80"));
        assert_eq!(parse("[fd00::1]:8080"), address("[fd00::1]:8080"));
        assert_eq!(parse("fd00::1"), address("[fd00::1]:80"));
        for text in ["localhost", "a.b.c.example.com"] {
            assert_eq!(parse(text), Ok(Authority::Other(text.to_owned())));
        }
    }

    #[test]
    fn garbage_is_refused() {
        let long = "a.".repeat(200);
        for text in [
            "",
            ":",
            "a b",
            "web.shop:",
            "web.shop:0",
            "web.shop:99999",
            "a..b",
            "10.0.0.1:0",
            "\u{0}",
            "é.shop",
            &long,
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
