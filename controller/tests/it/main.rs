//! A real controller over a directory of manifests, asked over gRPC.

mod generated;
mod json;
mod mesh;
mod sequence;
mod vectors;
