//! Code generated from `api/*.proto`; `tests/generated.rs` writes and checks it.

/// Our own service beside Linkerd's API: the balancing choice of a service.
#[allow(
    clippy::all,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths
)]
pub mod balancing {
    include!("generated/mesh.balancing.v1.rs");
}
