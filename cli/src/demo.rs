//! `mesh demo`.

pub(crate) mod app;
mod error;
mod http_get;
mod load;
mod manifests;
mod memory;
mod metrics;
mod policy;
mod ports;
mod process;
mod progress;
mod proxy_env;
mod ready;
mod report;
mod topology;
