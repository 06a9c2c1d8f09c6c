//! Was it a success? One answer for metrics and for the balancer.
//!
//! HTTP counts 5xx as failure. gRPC counts the codes that mean the server, not
//! the request, is at fault (Linkerd's list), wherever the status is: in the
//! trailers, or in the headers of an answer without a body.

use super::headers::find;
use crate::metrics::Class;
use http::{HeaderMap, HeaderName, StatusCode};

/// Header or trailer of gRPC's status.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The class of an HTTP status.
pub fn of_status(status: StatusCode) -> Class {
    if status.is_server_error() {
        Class::Failure
    } else {
        Class::Success
    }
}

/// The class of a gRPC code: UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED,
/// INTERNAL, UNAVAILABLE and DATA_LOSS are failures.
pub fn of_grpc(code: u8) -> Class {
    match code {
        2 | 4 | 7 | 13 | 14 | 15 => Class::Failure,
        _ => Class::Success,
    }
}

/// The gRPC code in headers or trailers; a garbled one is UNKNOWN.
pub fn grpc_status(headers: &HeaderMap) -> Option<u8> {
    let value = find(headers, &GRPC_STATUS)?.as_bytes();
    let code = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
    Some(code.filter(|code| *code <= 16).unwrap_or(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_client_error_is_no_failure_of_the_server() {
        assert_eq!(of_status(StatusCode::NOT_FOUND), Class::Success);
        assert_eq!(of_status(StatusCode::BAD_GATEWAY), Class::Failure);
        assert_eq!(of_grpc(5), Class::Success);
        assert_eq!(of_grpc(14), Class::Failure);
    }

    #[test]
    fn a_garbled_status_is_unknown() {
        for (text, code) in [("0", 0), ("14", 14), ("x", 2), ("99", 2), ("-1", 2)] {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_STATUS, HeaderValue::from_static(text));
            assert_eq!(grpc_status(&headers), Some(code), "{text}");
        }
        assert_eq!(grpc_status(&HeaderMap::new()), None);
    }
}
