//! HTTP, both versions, both directions.

pub mod framing;
