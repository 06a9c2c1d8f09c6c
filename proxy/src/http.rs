//! HTTP/1 and HTTP/2 as both directions need them.
//!
//! hyper speaks the protocols. What is here is what makes a proxy of it: one
//! server and one client for both versions, the header rules of RFC 9110
//! section 7.6, the HTTP/1-over-HTTP/2 transport between proxies, bodies that
//! tell how they ended, and one table that turns an error into an answer.

pub mod account;
pub mod body;
pub mod check;
pub mod classify;
pub mod client;
pub mod error;
pub mod framing;
pub mod headers;
pub mod in_flight;
mod one_task;
pub mod orig_proto;
pub mod rescue;
pub mod server;
pub mod target;
pub mod upgrade;

/// An HTTP version as far as connections differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2 by prior knowledge.
    H2,
}

impl Version {
    /// The version a request was received with.
    pub fn of<B>(req: &::http::Request<B>) -> Self {
        if req.version() == ::http::Version::HTTP_2 {
            Self::H2
        } else {
            Self::Http1
        }
    }
}
