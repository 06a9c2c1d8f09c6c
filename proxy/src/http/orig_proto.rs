//! HTTP/1 carried over HTTP/2 between proxies.
//!
//! Many HTTP/1 connections become streams of one mutual-TLS connection, and the
//! frames of many requests share a system call. `l5d-orig-proto` says what the
//! message was, so the far side can give it back unchanged (wire form as
//! linkerd2-proxy's: `HTTP/1.1`, `HTTP/1.0`, either with `; absolute-form`).

use super::headers::{ORIG_PROTO, find};
use http::{
    HeaderMap, HeaderValue, Request, Response, Uri, Version,
    header::{HOST, TRANSFER_ENCODING},
    uri::{Authority, PathAndQuery, Scheme},
};

const ABSOLUTE_FORM: &str = "; absolute-form";

/// Whether an HTTP/1 request can be carried: it needs a host, and an upgrade or
/// HTTP/1.0's connection semantics need a connection of their own.
pub fn can_upgrade<B>(req: &Request<B>) -> bool {
    req.version() == Version::HTTP_11
        && (req.uri().authority().is_some() || find(req.headers(), &HOST).is_some())
}

/// Makes an HTTP/1 request an HTTP/2 one; false if it has no valid authority.
pub fn upgrade<B>(req: &mut Request<B>) -> bool {
    let absolute = req.uri().authority().is_some();
    if !absolute && !set_authority(req) {
        return false;
    }
    let value = if absolute {
        HeaderValue::from_static("HTTP/1.1; absolute-form")
    } else {
        HeaderValue::from_static("HTTP/1.1")
    };
    req.headers_mut().insert(ORIG_PROTO, value);
    req.headers_mut().remove(TRANSFER_ENCODING);
    *req.version_mut() = Version::HTTP_2;
    true
}

/// Puts scheme and authority (from Host) into the URI, as HTTP/2 needs them.
fn set_authority<B>(req: &mut Request<B>) -> bool {
    let host = find(req.headers(), &HOST);
    let Some(authority) = host.and_then(|h| Authority::try_from(h.as_bytes()).ok()) else {
        return false;
    };
    let mut parts = std::mem::take(req.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    // `OPTIONS *` has a path of `*`, which is valid beside an authority too.
    parts
        .path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    match Uri::from_parts(parts) {
        Ok(uri) => {
            *req.uri_mut() = uri;
            true
        }
        Err(_) => false,
    }
}

/// Restores an HTTP/1 request that came as HTTP/2; `None` when it was none.
/// The returned version is to be told in the response by [`mark`].
pub fn restore<B>(req: &mut Request<B>) -> Option<Version> {
    let value = req.headers_mut().remove(ORIG_PROTO)?;
    let value = value.to_str().ok()?;
    let (version, absolute) = match value.strip_suffix(ABSOLUTE_FORM) {
        Some(version) => (version, true),
        None => (value, false),
    };
    let version = match version {
        "HTTP/1.1" => Version::HTTP_11,
        "HTTP/1.0" => Version::HTTP_10,
        _ => return None,
    };
    *req.version_mut() = version;
    if absolute {
        set_host(req.uri().authority().cloned(), req.headers_mut());
    } else {
        to_origin_form(req);
    }
    Some(version)
}

/// A request has one Host whatever form its target has (RFC 9112 section 3.2).
/// HTTP/2 needs none beside `:authority`, and what a peer sends there (another,
/// or several) is not for the application to choose from.
fn set_host(authority: Option<Authority>, headers: &mut HeaderMap) {
    let named = authority.and_then(|authority| {
        let host = authority.as_str().rsplit('@').next()?;
        HeaderValue::from_str(host).ok()
    });
    if let Some(host) = named.or_else(|| headers.get(HOST).cloned()) {
        headers.insert(HOST, host);
    }
}

/// Drops scheme and authority from the URI, keeping the authority as Host.
pub fn to_origin_form<B>(req: &mut Request<B>) {
    let mut parts = std::mem::take(req.uri_mut()).into_parts();
    parts.scheme = None;
    set_host(parts.authority.take(), req.headers_mut());
    parts
        .path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    if let Ok(uri) = Uri::from_parts(parts) {
        *req.uri_mut() = uri;
    }
}

/// Tells the far proxy which version the application answered with.
pub fn mark<B>(rsp: &mut Response<B>) {
    let value = match rsp.version() {
        Version::HTTP_10 => HeaderValue::from_static("HTTP/1.0"),
        _ => HeaderValue::from_static("HTTP/1.1"),
    };
    rsp.headers_mut().insert(ORIG_PROTO, value);
}

/// Gives a response the version that [`mark`] told.
pub fn unmark<B>(rsp: &mut Response<B>) {
    let version = take_version(rsp.headers_mut());
    *rsp.version_mut() = version;
}

fn take_version(headers: &mut HeaderMap) -> Version {
    match headers.remove(ORIG_PROTO) {
        Some(value) if value == "HTTP/1.0" => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(uri: &str) -> Request<()> {
        Request::get(uri).header("host", "web:80").body(()).unwrap()
    }

    #[test]
    fn there_and_back() {
        for uri in ["/a?b=c", "http://web:80/a?b=c"] {
            let mut req = get(uri);
            req.headers_mut()
                .insert("transfer-encoding", HeaderValue::from_static("chunked"));
            assert!(can_upgrade(&req));
            assert!(upgrade(&mut req));
            assert_eq!(req.version(), Version::HTTP_2);
            assert_eq!(req.uri(), "http://web:80/a?b=c");
            assert!(!req.headers().contains_key(TRANSFER_ENCODING));
            assert_eq!(restore(&mut req), Some(Version::HTTP_11));
            assert_eq!(req.uri(), uri);
            assert!(!req.headers().contains_key(ORIG_PROTO));
        }
    }

    #[test]
    fn options_of_the_server_itself() {
        let mut req = Request::options("*")
            .header("host", "web")
            .body(())
            .unwrap();
        assert!(upgrade(&mut req));
        assert_eq!(restore(&mut req), Some(Version::HTTP_11));
        assert_eq!(req.uri(), "*");
    }

    #[test]
    fn what_can_not_be_carried() {
        let mut req = get("/");
        *req.version_mut() = Version::HTTP_10;
        assert!(!can_upgrade(&req));
        let mut req = Request::get("/").header("host", "a b").body(()).unwrap();
        assert!(!upgrade(&mut req));
        assert_eq!(req.uri(), "/");
    }

    #[test]
    fn an_absolute_form_without_host_gets_one() {
        let mut req = Request::get("http://web:80/").body(()).unwrap();
        req.headers_mut().insert(
            ORIG_PROTO,
            HeaderValue::from_static("HTTP/1.1; absolute-form"),
        );
        restore(&mut req);
        assert_eq!(req.uri(), "http://web:80/");
        assert_eq!(req.headers()["host"], "web:80");
    }

    #[test]
    fn the_authority_is_the_one_host() {
        for mark in ["HTTP/1.1", "HTTP/1.1; absolute-form"] {
            let mut req = get("http://web:80/");
            req.headers_mut()
                .append(HOST, HeaderValue::from_static("evil"));
            req.headers_mut()
                .insert(ORIG_PROTO, HeaderValue::from_static(mark));
            restore(&mut req);
            let hosts: Vec<_> = req.headers().get_all(HOST).iter().collect();
            assert_eq!(hosts, ["web:80"], "{mark}");
        }
    }

    #[test]
    fn a_garbled_mark_is_no_restoration() {
        let mut req = get("http://web/");
        req.headers_mut()
            .insert(ORIG_PROTO, HeaderValue::from_static("HTTP/3"));
        *req.version_mut() = Version::HTTP_2;
        assert_eq!(restore(&mut req), None);
        assert_eq!(req.version(), Version::HTTP_2);
    }
}
