//! The proxy beside every workload.
#![forbid(unsafe_code)]

pub mod policy;

pub mod admin;
pub mod app;
pub mod cache;
pub mod config;
pub mod control;
pub mod detect;
pub mod discovery;
pub mod drain;
pub mod http;
pub mod identity;
pub mod inbound;
mod init;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod outbound;
mod process;
mod timer;
pub mod tls;
pub mod transport;

pub use process::{main_from_env, run_from_env};
