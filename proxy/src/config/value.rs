//! The kinds of value a setting can have: how each is written and read.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use crate::{discovery::DefaultPolicy, policy::Target};
use ipnet::IpNet;

/// A kind of value.
pub(super) trait Value: Sized {
    /// What to write, after "expected".
    const EXPECTED: &'static str;
    /// One right value, for the error and the documentation.
    const EXAMPLE: &'static str;

    /// Reads `text`, which is trimmed; `None` when it is not of this kind.
    fn parse(text: &str) -> Option<Self>;

    /// As [`Self::parse`] reads it, for `/config`.
    fn show(&self) -> String;
}

/// Kinds that the standard library or a crate reads and writes as we want it.
macro_rules! plain {
    ($($kind:ty: $expected:literal, $example:literal;)*) => {$(
        impl Value for $kind {
            const EXPECTED: &'static str = $expected;
            const EXAMPLE: &'static str = $example;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

plain! {
    bool: "true or false", "true";
    u16: "a whole number", "100";
    u32: "a whole number", "1000";
    usize: "a whole number", "1000";
    f64: "a decimal number", "0.5";
    SocketAddr: "an IP address and a port", "127.0.0.1:4191";
}

impl Value for Duration {
    const EXPECTED: &'static str = "a duration: a whole number and ms, s, m, h or d";
    const EXAMPLE: &'static str = "10s";

    fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let seconds = |each: u64| number.checked_mul(each).map(Self::from_secs);
        match unit {
            "us" => Some(Self::from_micros(number)),
            "ms" => Some(Self::from_millis(number)),
            "s" => seconds(1),
            "m" => seconds(60),
            "h" => seconds(3600),
            "d" => seconds(86_400),
            // As Linkerd: only 0 means the same in every unit.
            "" if number == 0 => Some(Self::ZERO),
            _ => None,
        }
    }

    fn show(&self) -> String {
        let seconds = self.as_secs();
        match (self.subsec_micros(), seconds) {
            (0, 0) => "0".into(),
            (0, _) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
            (0, _) if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            (0, _) => format!("{seconds}s"),
            (micros, _) if micros.is_multiple_of(1000) => format!("{}ms", self.as_millis()),
            _ => format!("{}us", self.as_micros()),
        }
    }
}

/// Lists; empty items are skipped, since injectors leave a comma behind.
macro_rules! list {
    ($($kind:ty: $expected:literal, $example:literal;)*) => {$(
        impl Value for Vec<$kind> {
            const EXPECTED: &'static str = $expected;
            const EXAMPLE: &'static str = $example;

            fn parse(text: &str) -> Option<Self> {
                items(text).map(|item| item.parse().ok()).collect()
            }

            fn show(&self) -> String {
                join(self)
            }
        }
    )*};
}

list! {
    IpAddr: "IP addresses with commas between", "10.1.2.3,fd00::3";
    IpNet: "networks with commas between", "10.0.0.0/8,fd00::/8";
    SocketAddr: "IP addresses with ports and commas between", "127.0.0.1:4140,[::1]:4140";
}

pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn join<T: Display>(list: &[T]) -> String {
    list.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a path";
    const EXAMPLE: &'static str = "/var/run/secrets/tokens/mesh-identity-token";

    fn parse(text: &str) -> Option<Self> {
        printable(text).then(|| text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// An identity: a DNS-like name or a SPIFFE URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity(pub(super) String);

impl Value for Identity {
    const EXPECTED: &'static str = "an identity: a DNS-like name, or spiffe:// and a path";
    const EXAMPLE: &'static str = "web.shop.serviceaccount.identity.mesh.cluster.local";

    fn parse(text: &str) -> Option<Self> {
        let name = match text.strip_prefix("spiffe://") {
            Some(path) => path.contains('/') && printable(path) && !path.contains(' '),
            None => rustls::pki_types::DnsName::try_from(text).is_ok(),
        };
        name.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// What the controller calls this workload; sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Workload(pub(super) String);

impl Value for Workload {
    const EXPECTED: &'static str = "a JSON object with ns and pod, or NAMESPACE:POD";
    const EXAMPLE: &'static str = r#"{"ns":"shop","pod":"web-0"}"#;

    fn parse(text: &str) -> Option<Self> {
        let object = text.starts_with('{') && text.ends_with('}');
        let pair = text.split_once(':').is_some_and(|(ns, pod)| {
            let name = |name: &str| !name.is_empty() && !name.contains([' ', '{', '"', ':']);
            name(ns) && name(pod)
        });
        ((object || pair) && printable(text)).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// Certificates. Public, but too long for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pem(pub(super) String);

impl Value for Pem {
    const EXPECTED: &'static str = "certificates in PEM";
    const EXAMPLE: &'static str = "-----BEGIN CERTIFICATE-----...";

    fn parse(text: &str) -> Option<Self> {
        let whole = text.contains("-----BEGIN CERTIFICATE-----")
            && text.contains("-----END CERTIFICATE-----");
        whole.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        let count = self.0.matches("-----BEGIN CERTIFICATE-----").count();
        format!("({count} certificates, {} bytes of PEM)", self.0.len())
    }
}

impl Value for DefaultPolicy {
    const EXPECTED: &'static str = "deny, audit, or all- or cluster- followed by \
        unauthenticated, tls-unauthenticated or authenticated";
    const EXAMPLE: &'static str = "cluster-authenticated";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.name().into()
    }
}

impl Value for Target {
    const EXPECTED: &'static str = "a host name or IP address, a colon and a port";
    const EXAMPLE: &'static str = "mesh-policy.mesh.svc.cluster.local.:8090";

    fn parse(text: &str) -> Option<Self> {
        // Port 0 as default makes a missing port an error.
        Self::parse(text, 0).ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

fn printable(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    !text.is_empty() && !text.contains(odd)
}

#[cfg(test)]
mod tests;
