//! Workload identities: names, the CA that signs them, the Certify service,
//! and the client that keeps a workload's certificate fresh.
//!
//! Two halves share this crate, because they have to agree on one protocol:
//!
//! - the *service* (`mesh-identity`): [`ca`], [`csr`], [`issuer`], [`token`],
//!   [`service`], [`server`]. It is the only process that holds the issuer key.
//! - the *workload* side, used by the proxy and the controller: [`name`],
//!   [`trust`], [`credentials`], [`certify`]. Its private keys are made in
//!   memory, replaced with each certificate, and never written anywhere.
#![forbid(unsafe_code)]

pub mod ca;
pub mod certify;
pub mod credentials;
pub mod crypto;
pub mod csr;
mod file;
pub mod issuer;
pub mod metrics;
pub mod name;
pub mod server;
pub mod service;
#[cfg(test)]
mod testing;
pub mod token;
pub mod trust;

pub use credentials::{Credentials, peer_identity};
pub use name::{IdentityName, ServerId};
pub use trust::TrustBundle;
