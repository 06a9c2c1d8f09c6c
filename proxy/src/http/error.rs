//! What went wrong, and the one table of what the client is told.
//!
//! An error says the stage it happened in, for which target, why, whose fault
//! it is and whether a retry is safe. Linkerd answers several different faults
//! with a bare 502 and reports fail-fast as 504; here every answer carries
//! `l5d-proxy-error` with all of that, and fail-fast is 503 and gRPC 14
//! (UNAVAILABLE), because nothing was sent and another try may succeed.

use super::framing::Violation;
use http::StatusCode;
use std::{fmt, sync::Arc};

/// Boxed cause, as tower and hyper use it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Kinds of failure; each has one row in [`Kind::row`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The message breaks HTTP (framing, target form, header rules).
    BadRequest,
    /// The proxy does not do this, whoever asks.
    NotImplemented,
    /// The client may not use this port or route.
    Unauthorized,
    /// No route for the request.
    NoRoute,
    /// The route says so (a denied egress, an undefined port).
    Refused(StatusCode),
    /// No endpoint was ready for the fail-fast time.
    FailFast,
    /// The queue or the in-flight limit is full.
    LoadShed,
    /// The endpoint could not be connected.
    Connect,
    /// The connection broke before an answer came.
    Upstream,
    /// A time limit passed.
    Timeout,
    /// The request came back to the proxy that sent it.
    Loop,
    /// The proxy itself failed.
    Internal,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client sent what can't be served.
    Client,
    /// The server, or the way to it.
    Upstream,
    /// The mesh: policy, limits, the proxy.
    Mesh,
}

/// One row of the table: what a [`Kind`] becomes.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// HTTP status.
    pub status: StatusCode,
    /// gRPC code.
    pub grpc: u8,
    /// Value of the metric label `error`.
    pub label: &'static str,
    /// Whose fault.
    pub fault: Fault,
    /// Whether the request was certainly not processed, so a retry is safe.
    pub retry: bool,
}

impl Kind {
    /// The table. Codes as Linkerd's where they are right (features 2.6).
    pub fn row(self) -> Row {
        use Fault::{Client, Mesh, Upstream};
        let row = |status, grpc, label, fault, retry| Row {
            status,
            grpc,
            label,
            fault,
            retry,
        };
        match self {
            Self::BadRequest => row(StatusCode::BAD_REQUEST, 3, "bad request", Client, false),
            Self::NotImplemented => row(
                StatusCode::NOT_IMPLEMENTED,
                12,
                "not implemented",
                Client,
                false,
            ),
            Self::Unauthorized => row(StatusCode::FORBIDDEN, 7, "unauthorized", Client, false),
            Self::NoRoute => row(StatusCode::NOT_FOUND, 5, "no route", Client, false),
            Self::Refused(status) => row(status, grpc_of(status), "refused by route", Mesh, false),
            Self::FailFast => row(
                StatusCode::SERVICE_UNAVAILABLE,
                14,
                "failfast",
                Upstream,
                true,
            ),
            Self::LoadShed => row(StatusCode::SERVICE_UNAVAILABLE, 14, "loadshed", Mesh, true),
            Self::Connect => row(StatusCode::BAD_GATEWAY, 14, "connect", Upstream, true),
            Self::Upstream => row(StatusCode::BAD_GATEWAY, 14, "i/o", Upstream, false),
            Self::Timeout => row(StatusCode::GATEWAY_TIMEOUT, 4, "timeout", Upstream, false),
            Self::Loop => row(StatusCode::LOOP_DETECTED, 10, "loop", Client, false),
            Self::Internal => row(
                StatusCode::INTERNAL_SERVER_ERROR,
                13,
                "unexpected",
                Mesh,
                false,
            ),
        }
    }
}

/// The gRPC code for a status a route chose (gRPC's own HTTP mapping).
fn grpc_of(status: StatusCode) -> u8 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// A failure of the proxy to serve a request.
#[derive(Debug)]
pub struct ProxyError {
    kind: Kind,
    stage: &'static str,
    target: Arc<str>,
    cause: BoxError,
}

impl ProxyError {
    /// `stage` is where in the proxy (`route`, `connect`, ...), `target` what
    /// for (a service, an address), `cause` why.
    pub fn new(
        kind: Kind,
        stage: &'static str,
        target: impl Into<Arc<str>>,
        cause: impl Into<BoxError>,
    ) -> Self {
        Self {
            kind,
            stage,
            target: target.into(),
            cause: cause.into(),
        }
    }

    /// The same failure, when it turns out that the request's own body caused it.
    #[must_use]
    pub fn caused_by_request(self, violation: Violation) -> Self {
        Self::new(Kind::BadRequest, "request", self.target, violation)
    }

    /// Which row of the table.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The reset code when the peer reset the HTTP/2 stream.
    pub fn reset(&self) -> Option<h2::Reason> {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&*self.cause);
        while let Some(err) = source {
            if let Some(h2) = err.downcast_ref::<h2::Error>() {
                let of_connection = h2.is_go_away() || h2.is_io();
                return h2.reason().filter(|_| !of_connection);
            }
            source = err.source();
        }
        None
    }

    /// `stage=...; target=...; cause=...; fault=...; retry=...`, for the header
    /// `l5d-proxy-error` and the log.
    pub fn explain(&self) -> String {
        let Row { fault, retry, .. } = self.kind.row();
        let retry = if retry { "yes" } else { "no" };
        let mut cause = self.cause.to_string();
        let mut source = self.cause.source();
        while let Some(err) = source {
            let text = err.to_string();
            if !cause.contains(&text) {
                cause.push_str(": ");
                cause.push_str(&text);
            }
            source = err.source();
        }
        let (stage, target) = (self.stage, &self.target);
        let text =
            format!("stage={stage}; target={target}; cause={cause}; fault={fault}; retry={retry}");
        // A header value: one line of visible ASCII, bounded.
        text.chars()
            .map(|c| if c.is_ascii_graphic() { c } else { ' ' })
            .take(512)
            .collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Mesh => "mesh",
        })
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain())
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failfast_is_unavailable_not_a_timeout() {
        let row = Kind::FailFast.row();
        assert_eq!((row.status.as_u16(), row.grpc), (503, 14));
        assert!(row.retry);
    }

    #[test]
    fn an_error_explains_itself_in_one_line() {
        let cause = std::io::Error::other("Connection refused\r\nx-evil: 1");
        let err = ProxyError::new(Kind::Connect, "connect", "10.0.0.1:80", cause);
        assert_eq!(
            err.explain(),
            "stage=connect; target=10.0.0.1:80; cause=Connection refused  x-evil: 1; \
             fault=upstream; retry=yes"
        );
    }
}
