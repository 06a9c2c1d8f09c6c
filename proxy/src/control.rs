//! Clients of the control plane.

pub mod backoff;
pub mod config;

pub use backoff::Backoff;
pub use config::{ControlAddr, ControlConfig, DnsConfig, Keepalive, StreamLimits, WatchConfig};
