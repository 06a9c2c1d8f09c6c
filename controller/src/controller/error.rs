//! Why a controller does not start, or stops.

use crate::{
    injector::{certificate::CertificateError, defaults::DefaultsError},
    source::directory::DirectoryError,
};
use mesh_identity::{kubernetes::AccessError, trust::TrustError};
use std::{io, net::SocketAddr};

/// Why a controller does not start, or stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifests directory.
    #[error(transparent)]
    Source(#[from] DirectoryError),
    /// The Kubernetes API server.
    #[error(transparent)]
    Kubernetes(#[from] AccessError),
    /// The trust anchors that namespaces are to have.
    #[error("can't use the trust anchors: {0}")]
    Trust(#[from] TrustError),
    /// What injections go by where nobody says otherwise.
    #[error("can't use the proxy defaults: {0}")]
    Defaults(#[from] DefaultsError),
    /// The webhook's own certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// There are no pods to inject in a directory.
    #[error(
        "the injector needs a cluster: give --source kubernetes with --serve injector (mesh inject changes files)"
    )]
    NeedsCluster,
    /// A port is taken, an address not ours, ...
    #[error("can't listen on {addr} for {what}: {cause}")]
    Listen {
        /// Which server.
        what: &'static str,
        /// Where.
        addr: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// An address that clients use mutual TLS to.
    #[error(
        "{addr} ({what}) is no loopback address, which needs a certificate: give the controller an identity (--identity-addr), or listen on 127.0.0.1"
    )]
    NeedsIdentity {
        /// Which server.
        what: &'static str,
        /// Where.
        addr: SocketAddr,
    },
    /// A gRPC server stopped by itself.
    #[error("the {what} server failed: {cause}")]
    Serve {
        /// Which server.
        what: &'static str,
        /// Why.
        cause: tonic::transport::Error,
    },
}
