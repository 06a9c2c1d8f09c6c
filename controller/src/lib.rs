//! temp
#![forbid(unsafe_code)]
mod balancing;
mod context;
mod destination;
pub mod generated;
mod hub;
mod metrics;
mod model;
mod policy;
mod source;
mod stream;
