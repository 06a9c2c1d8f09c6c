//! The policy in words.

use super::view::{Policy, Retry, Route};
use crate::commands::diagnostics::view::{line, protocol};

/// Every fact on a line of its own; what is not set is not mentioned.
pub(in crate::commands::diagnostics::policy) fn text(policy: &Policy) -> String {
    let mut text = format!("What clients do with {}\n", policy.target);
    text += &line("policy of", &policy.parent);
    text += &line(
        "protocol",
        &protocol(policy.protocol, policy.detect_timeout.as_deref()),
    );
    text += &line("balancing", policy.balancing.unwrap_or_default());
    if let Some(ejection) = &policy.ejection {
        let penalty = match (&ejection.min_penalty, &ejection.max_penalty) {
            (Some(min), Some(max)) => format!(", out of use for {min}, later up to {max}"),
            _ => String::new(),
        };
        let ejection = format!(
            "after {} failures in a row{penalty}",
            ejection.consecutive_failures
        );
        text += &line("ejection", &ejection);
    }
    text += &routes("HTTP", &policy.http_routes);
    text += &routes("opaque", &policy.opaque_routes);
    text
}

fn routes(kind: &str, routes: &[Route]) -> String {
    if routes.is_empty() {
        return String::new();
    }
    let routes: String = routes.iter().map(route).collect();
    format!("  {kind} routes\n{routes}")
}

fn route(route: &Route) -> String {
    let mut text = format!("    {}", route.name);
    if !route.requests.is_empty() {
        text += &format!(": {}", route.requests.join(", "));
    }
    text += "\n";
    match route.backends.is_empty() {
        true => text += &detail("to", "nowhere: it is refused"),
        false => text += &detail("to", &route.backends.join(", else ")),
    }
    for (name, timeout) in [
        ("request", &route.request_timeout),
        ("response", &route.response_timeout),
        ("idle", &route.idle_timeout),
    ] {
        if let Some(timeout) = timeout {
            text += &detail("timeout", &format!("{timeout} ({name})"));
        }
    }
    if let Some(retry) = &route.retry {
        text += &detail("retry", &retries(retry));
    }
    text
}

fn retries(retry: &Retry) -> String {
    let mut text = match retry.limit {
        1 => "once".to_owned(),
        limit => format!("{limit} times"),
    };
    if !retry.statuses.is_empty() {
        text += &format!(", on {}", retry.statuses.join(", "));
    }
    if let Some(timeout) = &retry.timeout {
        text += &format!(", or after {timeout} without an answer");
    }
    text
}

fn detail(name: &str, value: &str) -> String {
    format!("      {name:<9} {value}\n")
}
