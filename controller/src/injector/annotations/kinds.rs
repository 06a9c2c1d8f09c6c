//! The kinds of value that annotations take.

use super::quantity;
use crate::model::{inbound::DefaultPolicy, ports::PortSet};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::EnvVar;
use std::{collections::BTreeMap, time::Duration};

/// A kind of value: what to write, an example, and how it is read.
#[derive(Debug)]
pub(in crate::injector) struct Kind<T> {
    pub(super) expected: &'static str,
    pub(super) example: &'static str,
    /// `None` when the text, which is trimmed, is not of this kind.
    pub(super) parse: fn(&str) -> Option<T>,
}

// Derived, these would ask the same of T.
impl<T> Clone for Kind<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Kind<T> {}

const fn kind<T>(
    expected: &'static str,
    example: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Kind<T> {
    Kind {
        expected,
        example,
        parse,
    }
}

/// The longest duration that the proxy's settings can be given.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

pub(in crate::injector) const BOOL: Kind<bool> = kind("true or false", "true", |text| match text {
    "true" => Some(true),
    "false" => Some(false),
    _ => None,
});

pub(in crate::injector) const ENABLED: Kind<bool> =
    kind("enabled or disabled", "enabled", |text| match text {
        "enabled" => Some(true),
        "disabled" => Some(false),
        _ => None,
    });

pub(in crate::injector) const PORT: Kind<u16> = kind("a port from 1 to 65535", "4143", |text| {
    text.parse().ok().filter(|port| *port > 0)
});

pub(in crate::injector) const PORTS: Kind<PortSet> = kind(
    "ports and ranges of ports (1 to 65535) with commas between",
    "25,587,9000-9002",
    |text| text.parse().ok(),
);

/// Names can only be looked up with the pod at hand: see `settings.rs`.
pub(in crate::injector) const PORTS_OR_NAMES: Kind<String> = kind(
    "ports, ranges of ports (1 to 65535) and names of container ports with commas between",
    "25,9000-9002,mysql",
    |text| {
        let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty());
        let mut right = entries.map(|entry| entry.parse::<PortSet>().is_ok() || port_name(entry));
        right.all(|right| right).then(|| text.to_owned())
    },
);

/// The API server's rule for names of ports, of which one letter is the part that matters.
fn port_name(text: &str) -> bool {
    let part = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    text.len() <= 15
        && text.bytes().all(part)
        && text.bytes().any(|c| c.is_ascii_lowercase())
        && !text.starts_with('-')
        && !text.ends_with('-')
}

pub(in crate::injector) const NETWORKS: Kind<Vec<IpNet>> = kind(
    "networks with commas between",
    "172.17.0.0/16,fd00::/8",
    |text| {
        let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty());
        entries.map(|entry| entry.parse().ok()).collect()
    },
);

pub(in crate::injector) const DURATION: Kind<Duration> = kind(
    "a duration: a whole number and ms, s, m, h or d, more than 0",
    "1500ms",
    |text| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let duration = Duration::from_millis(number.checked_mul(millis)?);
        (duration <= LONGEST).then_some(duration)
    },
);

pub(in crate::injector) const CLOSE_WAIT: Kind<Duration> = kind(
    "a duration of whole seconds: a whole number and s, m, h or d, from 1s to 1d",
    "1h",
    |text| {
        let right = |time: &Duration| time.subsec_millis() == 0 && time.as_secs() <= 86_400;
        (DURATION.parse)(text).filter(right)
    },
);

pub(in crate::injector) const SECONDS: Kind<i64> = kind(
    "seconds: a whole number from 0 to 3600, without a unit",
    "10",
    |text| {
        text.parse()
            .ok()
            .filter(|seconds| (0..=3600).contains(seconds))
    },
);

/// Text as it goes into the pod, and thousandths.
pub(in crate::injector) const QUANTITY: Kind<(String, u128)> = kind(
    "a Kubernetes quantity of more than 0: cores or bytes, as a number and m, k, M, G, Ki, Mi, Gi",
    "100m or 250Mi",
    |text| {
        let amount = quantity::thousandths(text).filter(|amount| *amount > 0)?;
        Some((text.to_owned(), amount))
    },
);

pub(in crate::injector) const RATIO: Kind<f64> = kind(
    "a decimal number, more than 0 and at most 1",
    "0.5",
    |text| {
        text.parse()
            .ok()
            .filter(|ratio| *ratio > 0.0 && *ratio <= 1.0)
    },
);

pub(in crate::injector) const USER: Kind<i64> = kind(
    "a numeric id from 1 to 2147483647 (not 0: the proxy is never root)",
    "2102",
    |text| {
        text.parse()
            .ok()
            .filter(|id| (1..=2_147_483_647).contains(id))
    },
);

pub(in crate::injector) const IMAGE: Kind<String> = kind(
    "an image's name without its tag",
    "registry.example.com/mesh/proxy",
    |text| {
        let right = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
        (!text.is_empty() && text.chars().all(right)).then(|| text.to_owned())
    },
);

pub(in crate::injector) const TAG: Kind<String> = kind(
    "an image's tag: up to 128 letters, digits, dots, dashes and underscores",
    env!("CARGO_PKG_VERSION"),
    |text| {
        let right = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let length = 1..=128;
        (length.contains(&text.len()) && text.chars().all(right)).then(|| text.to_owned())
    },
);

pub(in crate::injector) const PULL_POLICY: Kind<String> =
    kind("Always, IfNotPresent or Never", "IfNotPresent", |text| {
        one_of(&["Always", "IfNotPresent", "Never"], text)
    });

pub(in crate::injector) const LOG_FORMAT: Kind<String> = kind("plain or json", "json", |text| {
    one_of(&["plain", "json"], text)
});

pub(in crate::injector) const ACCESS_LOG: Kind<String> = kind("apache or json", "json", |text| {
    one_of(&["apache", "json"], text)
});

fn one_of(names: &[&str], text: &str) -> Option<String> {
    names.contains(&text).then(|| text.to_owned())
}

/// As the proxy reads its `LOG`.
pub(in crate::injector) const LOG_LEVELS: Kind<String> = kind(
    "levels (off, error, warn, info, debug, trace) and TARGET=LEVEL with commas between",
    "warn,mesh=debug",
    |text| {
        let level = |level: &str| {
            ["off", "error", "warn", "info", "debug", "trace"]
                .iter()
                .any(|name| level.eq_ignore_ascii_case(name))
        };
        let right = |part: &str| match part.trim().split_once('=') {
            Some((target, of)) => !target.is_empty() && !target.contains(' ') && level(of),
            None => level(part.trim()),
        };
        text.split(',').all(right).then(|| text.to_owned())
    },
);

pub(in crate::injector) const POLICY: Kind<DefaultPolicy> = kind(
    "all-unauthenticated, all-authenticated, cluster-unauthenticated, cluster-authenticated, deny or audit",
    "all-authenticated",
    |text| text.parse().ok(),
);

/// By name, to be merged.
pub(in crate::injector) const ENVIRONMENT: Kind<BTreeMap<String, EnvVar>> = kind(
    "a JSON list of environment variables as in a container",
    r#"[{"name":"MESH_PROXY_INBOUND_DETECT_TIMEOUT","value":"1s"}]"#,
    |text| {
        let list: Vec<EnvVar> = serde_json::from_str(text).ok()?;
        let named = list.iter().all(|variable| !variable.name.is_empty());
        let by_name = list.into_iter().map(|each| (each.name.clone(), each));
        named.then(|| by_name.collect())
    },
);
