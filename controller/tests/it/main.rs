//! A real controller over a directory of manifests or a small API server, asked over gRPC.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod api_server;
mod cluster;
mod files;
mod generated;
mod identity;
mod inject;
mod injector;
mod json;
mod mesh;
mod process;
mod requests;
mod sequence;
mod vectors;
