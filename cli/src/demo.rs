//! `mesh demo`.

pub(crate) mod app;
mod http_get;
mod load;
mod manifests;
mod policy;
mod topology;
