//! Refuses HTTP/1 requests that two parsers may read differently.
//!
//! Request smuggling needs two hops that disagree about where a message ends.
//! hyper frames what it accepts correctly, but it accepts, and a proxy would
//! pass on, some of what RFC 9112 says must be refused: both Content-Length and
//! Transfer-Encoding, a bare LF, two Host lines, none in HTTP/1.1, white space
//! in chunk sizes. What is gone from the parsed request can't be checked there,
//! so the check is below hyper, on the bytes:
//!
//! - [`Framing`] follows heads and bodies, byte by byte in one pass, without a
//!   buffer and without I/O. Its language is a subset of hyper's, so what it
//!   passes hyper frames in the same way (a differential test says so).
//! - [`Guarded`] wraps the stream under hyper's server. At a violation in a head
//!   it ends that head with bytes that hyper answers with 400 and close, in
//!   order behind earlier pipelined answers; in a body, reading it fails with
//!   the [`Violation`], for the service to answer with 400.
//! - After a request with Upgrade, or CONNECT, the connection may be another
//!   protocol, which only the answer tells. Bytes behind such a request are held
//!   until then; [`Handle::watch`] wraps the service to see the answers.
//!
//! Too long heads and too many fields are left to hyper, which counts them
//! itself and answers 431, the better status.
//!
//! The alternative, our own HTTP/1 parser in front of hyper's, would parse every
//! head twice and copy it; the other, patching hyper, would have to be kept up.

mod answers;
mod field;
mod grammar;
mod guarded;
mod head;
mod machine;
mod violation;
mod watch;

pub use answers::Handle;
pub(crate) use grammar::{is_target, is_token};
pub use guarded::Guarded;
pub use machine::{Framing, Part, Step};
pub use violation::Violation;
pub use watch::{Watched, WatchedFuture};

#[cfg(test)]
mod tests;
