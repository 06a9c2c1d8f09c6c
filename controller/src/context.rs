//! Who asks: the tokens that injectors give to proxies.

use serde::Deserialize;

/// What a client says of itself. Every part may be missing: a proxy on a
/// laptop has no node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Context {
    #[serde(rename = "nodeName")]
    pub(crate) node: Option<String>,
}

impl Context {
    /// Reads `{"ns":"shop", "nodeName":"node-a", "pod":"web-0"}`.
    ///
    /// It only tunes the answer, so what can't be read counts as not said.
    pub(crate) fn of_token(token: &str) -> Self {
        if token.is_empty() {
            return Self::default();
        }
        serde_json::from_str(token).unwrap_or_else(|error| {
            tracing::debug!(token = ?shortened(token), %error, "Ignored a context token");
            Self::default()
        })
    }
}

/// The workload whose policy is asked for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Workload {
    pub(crate) ns: String,
    pub(crate) pod: String,
}

/// The text names no workload.
#[derive(Debug, thiserror::Error)]
#[error("invalid workload {0:?}; expected {{\"ns\":\"NAMESPACE\",\"pod\":\"POD\"}}")]
pub(crate) struct BadWorkload(String);

impl std::str::FromStr for Workload {
    type Err = BadWorkload;

    /// Reads the JSON form, or `NAMESPACE:POD` as older proxies send.
    fn from_str(text: &str) -> Result<Self, BadWorkload> {
        let bad = || BadWorkload(shortened(text));
        if text.starts_with('{') {
            return serde_json::from_str(text).map_err(|_| bad());
        }
        match text.split_once(':') {
            Some((ns, pod)) if !ns.is_empty() && !pod.is_empty() => Ok(Self {
                ns: ns.to_owned(),
                pod: pod.to_owned(),
            }),
            _ => Err(bad()),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_tokens() {
        let node = |token| Context::of_token(token).node;
        assert_eq!(
            node(r#"{"ns":"shop","nodeName":"a","pod":"p"}"#).as_deref(),
            Some("a")
        );
        for token in ["", "{}", "ns:shop", "{", "[]", "\u{0}"] {
            assert_eq!(node(token), None, "{token:?}");
        }
    }

    #[test]
    fn workloads() {
        for text in [r#"{"ns":"shop","pod":"web:0"}"#, "shop:web:0"] {
            let workload: Workload = text.parse().unwrap();
            assert_eq!(
                (workload.ns.as_str(), workload.pod.as_str()),
                ("shop", "web:0")
            );
        }
        for text in ["", "shop", ":web", "shop:", "{}", r#"{"ns":1,"pod":2}"#] {
            assert!(text.parse::<Workload>().is_err(), "{text:?}");
        }
    }
}
