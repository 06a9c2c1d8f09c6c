//! What the control plane says about targets, endpoints and ports.

pub mod config;
pub mod default;

pub use config::{DiscoveryConfig, InboundDefault};
pub use default::DefaultPolicy;
