//! Which headers cross the proxy.
//!
//! Hop-by-hop fields end here (RFC 9110 section 7.6.1): `Connection` and all it
//! names, and the old ones it should name. An upgrade keeps the two fields it
//! is made of. `l5d-*` fields speak between proxies, so what an application
//! sends of them is removed in both directions: it could otherwise claim an
//! identity, or an error of the mesh.

use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, UPGRADE};
use http::{Request, Version};

/// Identity of the client, set by inbound from its certificate.
pub const CLIENT_ID: HeaderName = HeaderName::from_static("l5d-client-id");
/// Version of an HTTP/1 message carried over HTTP/2.
pub const ORIG_PROTO: HeaderName = HeaderName::from_static("l5d-orig-proto");
/// Why the proxy answered instead of the application.
pub const PROXY_ERROR: HeaderName = HeaderName::from_static("l5d-proxy-error");
/// `close` asks the other proxy to close the client's connection.
pub const PROXY_CONNECTION: HeaderName = HeaderName::from_static("l5d-proxy-connection");

/// Hop-by-hop fields that end here whatever they say.
const OTHERS: [&str; 4] = [
    "keep-alive",
    "proxy-connection",
    "http2-settings",
    "transfer-encoding",
];

/// Removes hop-by-hop fields; with `upgrade`, leaves `Connection: upgrade` and
/// `Upgrade` as they are.
pub fn strip_hop_by_hop(headers: &mut HeaderMap, upgrade: bool) {
    let there = HopByHop::of(headers);
    if there.connection {
        strip_nominated(headers, upgrade);
    }
    if there.others {
        for name in OTHERS {
            headers.remove(name);
        }
    }
    if there.te && !is_plain_te(headers) {
        let trailers = accepts_trailers(headers);
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
    if there.upgrade && !upgrade {
        headers.remove(UPGRADE);
    }
}

/// Which hop-by-hop fields a message has. Nearly all have none, and one pass over the
/// few names costs less than the look-up of one by its hash.
#[derive(Default)]
struct HopByHop {
    connection: bool,
    te: bool,
    upgrade: bool,
    /// Any of [`OTHERS`].
    others: bool,
}

impl HopByHop {
    fn of(headers: &HeaderMap) -> Self {
        let mut there = Self::default();
        for name in headers.keys() {
            match *name {
                CONNECTION => there.connection = true,
                TE => there.te = true,
                UPGRADE => there.upgrade = true,
                _ => there.others |= OTHERS.contains(&name.as_str()),
            }
        }
        there
    }
}

fn strip_nominated(headers: &mut HeaderMap, upgrade: bool) {
    let nominated: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        // What nearly all senders write: the one is no field, the other removed anyway.
        .filter(|name| !name.eq_ignore_ascii_case("close"))
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        // Fields that frame or route the message are not the client's to remove.
        .filter(|name| !matches!(*name, http::header::CONTENT_LENGTH | HOST | UPGRADE | TE))
        .collect();
    headers.remove(CONNECTION);
    for name in nominated {
        headers.remove(name);
    }
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Whether TE is already what may pass: `trailers`, in one line.
fn is_plain_te(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TE).iter();
    lines.next().is_some_and(|line| line == "trailers") && lines.next().is_none()
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    lists(headers, &TE, |coding| {
        coding.eq_ignore_ascii_case(b"trailers")
    })
}

/// Removes every `l5d-*` field but those in `keep`.
pub fn strip_l5d(headers: &mut HeaderMap, keep: &[HeaderName]) {
    let is_l5d = |name: &&HeaderName| name.as_str().starts_with("l5d-") && !keep.contains(name);
    while let Some(name) = headers.keys().find(is_l5d).cloned() {
        headers.remove(name);
    }
}

/// The first value of a field, as `get`. A message has few fields, and one pass over
/// them costs less than the hash that `get` makes of the name.
pub(crate) fn find<'a>(headers: &'a HeaderMap, field: &HeaderName) -> Option<&'a HeaderValue> {
    headers
        .iter()
        .find_map(|(name, value)| (name == field).then_some(value))
}

/// Whether an HTTP/1.1 request asks to become another protocol.
///
/// Not if that is HTTP/2: its requests would pass in the tunnel, where no policy
/// sees them and nobody removes what they say in the mesh's name. RFC 9113 has
/// dropped that upgrade, and a server never has to be asked for one.
pub fn is_upgrade<B>(req: &Request<B>) -> bool {
    req.version() == Version::HTTP_11
        && (req.method() == http::Method::CONNECT
            || find(req.headers(), &UPGRADE).is_some()
                && lists(req.headers(), &CONNECTION, |token| {
                    token.eq_ignore_ascii_case(b"upgrade")
                })
                && !lists(req.headers(), &UPGRADE, is_http))
}

/// `h2c`, `h2`, or `HTTP` with a version.
fn is_http(protocol: &[u8]) -> bool {
    let name = protocol.split(|b| *b == b'/').next().unwrap_or(protocol);
    let names: [&[u8]; 3] = [b"h2c", b"h2", b"http"];
    names.iter().any(|http| name.eq_ignore_ascii_case(http))
}

/// Whether a token of a field's list is such.
fn lists(headers: &HeaderMap, field: &HeaderName, is: impl Fn(&[u8]) -> bool) -> bool {
    headers
        .get_all(field)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .any(|token| is(token.trim_ascii()))
}

/// Whether the request is gRPC, so that errors become gRPC statuses.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    find(headers, &http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn hop_by_hop_fields_end_here() {
        let mut map = headers(&[
            ("connection", "close, x-private, content-length"),
            ("x-private", "1"),
            ("content-length", "5"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip, trailers"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut map, false);
        let left = headers(&[
            ("content-length", "5"),
            ("te", "trailers"),
            ("accept", "*/*"),
        ]);
        assert_eq!(map, left);
    }

    #[test]
    fn all_lines_of_te_are_looked_at() {
        for (lines, left) in [
            (["trailers", "gzip"], Some("trailers")),
            (["gzip", "trailers"], Some("trailers")),
            (["trailers", "trailers"], Some("trailers")),
            (["gzip", "deflate"], None),
        ] {
            let mut map = headers(&lines.map(|line| ("te", line)));
            strip_hop_by_hop(&mut map, false);
            let te: Vec<_> = map.get_all(TE).iter().collect();
            assert_eq!(te, Vec::from_iter(left), "{lines:?}");
        }
    }

    #[test]
    fn an_upgrade_keeps_what_it_is_made_of() {
        let mut map = headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
        ]);
        strip_hop_by_hop(&mut map, true);
        assert_eq!(
            map,
            headers(&[("connection", "upgrade"), ("upgrade", "websocket")])
        );
    }

    #[test]
    fn l5d_fields_are_removed_but_those_kept() {
        let mut map = headers(&[
            ("l5d-client-id", "evil"),
            ("l5d-client-id", "twice"),
            ("l5d-orig-proto", "HTTP/1.1"),
            ("x-l5d-not", "1"),
        ]);
        strip_l5d(&mut map, &[ORIG_PROTO]);
        assert_eq!(
            map,
            headers(&[("l5d-orig-proto", "HTTP/1.1"), ("x-l5d-not", "1")])
        );
    }

    #[test]
    fn upgrades_need_both_fields_and_http_11() {
        let req = |version, connection: &'static str| {
            Request::get("/")
                .version(version)
                .header("connection", connection)
                .header("upgrade", "websocket")
                .body(())
                .unwrap()
        };
        assert!(is_upgrade(&req(Version::HTTP_11, "keep-alive, Upgrade")));
        assert!(!is_upgrade(&req(Version::HTTP_11, "keep-alive")));
        assert!(!is_upgrade(&req(Version::HTTP_10, "upgrade")));
    }

    #[test]
    fn http2_is_no_upgrade() {
        for protocol in ["h2c", "websocket, H2C", "h2", "HTTP/2.0"] {
            let req = Request::get("/")
                .header("connection", "upgrade")
                .header("upgrade", protocol)
                .body(())
                .unwrap();
            assert!(!is_upgrade(&req), "{protocol}");
        }
    }
}
