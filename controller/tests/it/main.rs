//! A real controller over a directory of manifests, asked over gRPC.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod files;
mod generated;
mod identity;
mod inject;
mod json;
mod mesh;
mod process;
mod requests;
mod sequence;
mod vectors;
