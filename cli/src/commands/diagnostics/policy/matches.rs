//! Which requests a rule is for, in words: `GET /healthz`, `/api/*`, `all requests`.

use linkerd2_proxy_api::http_route::{
    HostMatch, HttpRouteMatch, header_match, host_match, path_match, query_param_match,
};

/// What each alternative of a rule asks for; one that asks for nothing is `all requests`.
pub(super) fn requests<'a>(
    hosts: &[HostMatch],
    matches: impl IntoIterator<Item = &'a HttpRouteMatch>,
) -> Vec<String> {
    let hosts: Vec<_> = hosts.iter().filter_map(host).collect();
    let hosts = match hosts.is_empty() {
        true => String::new(),
        false => format!(" to {}", hosts.join(" or ")),
    };
    let mut all: Vec<_> = matches
        .into_iter()
        .map(|one| request(one) + &hosts)
        .collect();
    if all.is_empty() {
        all.push(format!("all requests{hosts}"));
    }
    all
}

fn request(one: &HttpRouteMatch) -> String {
    let method = one
        .method
        .clone()
        .and_then(|method| http::Method::try_from(method).ok());
    let path = one
        .path
        .as_ref()
        .and_then(|path| path.kind.as_ref())
        .map(path);
    let mut text = match (method, path.as_deref()) {
        (None, None | Some("/*")) => "all requests".to_owned(),
        (None, Some(path)) => path.to_owned(),
        (Some(method), path) => format!("{method} {}", path.unwrap_or("/*")),
    };
    for header in &one.headers {
        if let Some(value) = &header.value {
            text += &format!(" with {}{}", header.name, header_value(value));
        }
    }
    for param in &one.query_params {
        if let Some(value) = &param.value {
            text += &format!(" with ?{}{}", param.name, param_value(value));
        }
    }
    text
}

fn path(kind: &path_match::Kind) -> String {
    match kind {
        path_match::Kind::Exact(path) => path.clone(),
        // A prefix is one of whole segments.
        path_match::Kind::Prefix(prefix) => format!("{}/*", prefix.trim_end_matches('/')),
        path_match::Kind::Regex(regex) => format!("~{regex}"),
    }
}

fn header_value(value: &header_match::Value) -> String {
    match value {
        header_match::Value::Exact(bytes) => format!("={}", String::from_utf8_lossy(bytes)),
        header_match::Value::Regex(regex) => format!("~{regex}"),
    }
}

fn param_value(value: &query_param_match::Value) -> String {
    match value {
        query_param_match::Value::Exact(text) => format!("={text}"),
        query_param_match::Value::Regex(regex) => format!("~{regex}"),
    }
}

fn host(host: &HostMatch) -> Option<String> {
    Some(match host.r#match.as_ref()? {
        host_match::Match::Exact(name) => name.clone(),
        host_match::Match::Suffix(suffix) => {
            let labels: Vec<_> = suffix
                .reverse_labels
                .iter()
                .rev()
                .map(String::as_str)
                .collect();
            format!("*.{}", labels.join("."))
        }
    })
}
