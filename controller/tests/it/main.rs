//! A real controller over a directory of manifests, asked over gRPC.

mod files;
mod generated;
mod json;
mod mesh;
mod process;
mod requests;
mod sequence;
mod vectors;
