//! Workload identities: names, the CA that signs them, the Certify service,
//! and the client that keeps a workload's certificate fresh.
//!
//! Two halves share this crate, because they have to agree on one protocol:
//!
//! - the *service* (`mesh-identity`): [`ca`], [`csr`], [`issuer`], [`token`],
//!   [`service`], [`server`]. It is the only process that holds the issuer key.
//!   It is behind the feature `server`, so that proxies are built without it.
//! - the *workload* side, used by the proxy and the controller: [`name`],
//!   [`trust`], [`credentials`], [`certify`]. Its private keys are made in
//!   memory, replaced with each certificate, and never written anywhere.
#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod ca;
pub mod certify;
pub mod credentials;
pub mod crypto;
#[cfg(feature = "server")]
pub mod csr;
pub mod file;
#[cfg(feature = "server")]
pub mod issuer;
#[cfg(feature = "server")]
pub mod kubernetes;
#[cfg(feature = "server")]
pub mod metrics;
pub mod name;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod service;
#[cfg(test)]
mod testing;
#[cfg(feature = "server")]
pub mod token;
pub mod trust;

pub use credentials::{Credentials, peer_identity};
pub use name::{IdentityName, ServerId};
pub use trust::TrustBundle;
