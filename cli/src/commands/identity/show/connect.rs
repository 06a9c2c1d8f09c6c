//! The certificates that a running workload presents.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_identity::trust::TrustError;
use mesh_identity::{Credentials, IdentityName, ServerId, TrustBundle};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a workload showed no certificate.
#[derive(Debug, Error)]
pub(crate) enum ConnectError {
    #[error("cannot read the trust anchors {}: {source}; name them with --trust-anchors", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot use the trust anchors {}: {source}", path.display())]
    Trust { path: PathBuf, source: TrustError },
    #[error("no connection to {addr}: {source}")]
    Connect {
        addr: SocketAddr,
        source: std::io::Error,
    },
    #[error("{addr} did not prove to be {name}: {source}")]
    Handshake {
        addr: SocketAddr,
        name: IdentityName,
        source: std::io::Error,
    },
    #[error("{addr} did not answer within {} s", TIMEOUT.as_secs())]
    Timeout { addr: SocketAddr },
}

/// Connects as another proxy would, verifies that the workload is `name`, and returns its certificates, the leaf first.
///
/// # Errors
/// When there is no connection, or its other end is not that workload.
pub(super) async fn fetch(
    addr: SocketAddr,
    name: &IdentityName,
    anchors: &Path,
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let path = || anchors.to_owned();
    let pem = std::fs::read_to_string(anchors).map_err(|source| ConnectError::Read {
        path: path(),
        source,
    })?;
    let trust = TrustBundle::from_pem(&pem).map_err(|source| ConnectError::Trust {
        path: path(),
        source,
    })?;
    let exchange = handshake(addr, name, trust);
    tokio::time::timeout(TIMEOUT, exchange)
        .await
        .unwrap_or(Err(ConnectError::Timeout { addr }))
}

async fn handshake(
    addr: SocketAddr,
    name: &IdentityName,
    trust: TrustBundle,
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    // No certificate is presented, so it does not matter whose these credentials are.
    let config = Credentials::new(name.clone(), trust)
        .anonymous_client_config(&ServerId::from(name), Vec::new());
    let stream = TcpStream::connect(addr)
        .await
        .map_err(|source| ConnectError::Connect { addr, source })?;
    let stream = TlsConnector::from(config)
        .connect(name.server_name(), stream)
        .await
        .map_err(|source| ConnectError::Handshake {
            addr,
            name: name.clone(),
            source,
        })?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    Ok(certificates
        .iter()
        .map(|certificate| certificate.clone().into_owned())
        .collect())
}
