//! Connections as bytes: accepting them, finding where they were meant to go,
//! telling a peer proxy about it, and copying between two of them.
//!
//! Nothing here knows HTTP or TLS. Every stream is an [`io::Io`], so that a
//! plain socket, a TLS session and an in-memory pipe of a test are one thing.

pub mod connect;
pub mod header;
pub mod io;
pub mod listener;
pub mod orig_dst;
pub mod splice;
pub mod stream;
