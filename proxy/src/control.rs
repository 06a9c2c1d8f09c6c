//! Clients of the control plane: names to addresses, connections, watches.
//!
//! Everything here is about staying in touch with a service that may be away,
//! restart or move; what is said over it is in [`crate::discovery`] and
//! [`crate::identity`]. One [`ControlClient`] per service holds one HTTP/2
//! connection for all requests; [`watch::run`] keeps one stream of it alive.
//! A client is a plain tower service ([`Channel`]), so tests put a generated
//! server in its place and need no sockets.

pub mod backoff;
pub mod client;
pub mod config;
pub mod connect;
pub mod dns;
pub mod observe;
mod resolve;
pub mod watch;

pub use backoff::Backoff;
pub use client::{Channel, ControlClient};
pub use config::{ControlAddr, ControlConfig, DnsConfig, Keepalive, StreamLimits, WatchConfig};
pub use connect::{ConnectError, ControlTls};
pub use dns::{DnsError, SharedResolver, SystemResolver};
pub use observe::{ControlObserver, RecordType};
