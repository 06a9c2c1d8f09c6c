//! The controller's own certificate, for clients on other machines.
//!
//! As any workload: a key in memory, a token from a file, and a certificate
//! from the identity service that is renewed for as long as the process lives.
//! Until the first one is there, handshakes fail and clients try again.

mod address;

pub use address::{HostPort, NoHostPort};

use hyper_util::rt::TokioIo;
use linkerd2_proxy_api::identity::identity_client::IdentityClient;
use mesh_identity::{
    Credentials, IdentityName, ServerId, TrustBundle, certify,
    name::NameError,
    trust::{self, TrustError},
};
use std::{io, path::PathBuf, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

/// How long connecting to the identity service may take, by all its addresses.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub struct IdentitySource {
    /// The identity service.
    pub addr: HostPort,
    /// File with the token that proves who we are; read anew each time.
    pub token: PathBuf,
    /// File with the trust anchors (PEM); followed.
    pub trust_anchors: PathBuf,
    /// Our service account, in the mesh namespace.
    pub service_account: String,
    /// The identity service's own.
    pub server_account: String,
    /// Namespace of the control plane.
    pub namespace: String,
    /// Last part of every identity.
    pub trust_domain: String,
}

/// Why no certificate can be asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Trust anchors.
    #[error("can't use the trust anchors: {0}")]
    Trust(#[from] TrustError),
    /// A name that no certificate can carry.
    #[error("can't have an identity: {0}")]
    Name(#[from] NameError),
}

impl IdentitySource {
    /// Starts keeping a certificate fresh, until the runtime ends.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the trust anchors can't be read or a name is no name.
    pub fn start(self) -> Result<Credentials, IdentityError> {
        let name = |account: &str| {
            IdentityName::new(
                account,
                &self.namespace,
                &self.namespace,
                &self.trust_domain,
            )
        };
        let server = name(&self.server_account)?;
        let trust = TrustBundle::watch_file(&self.trust_anchors, trust::POLL_INTERVAL)?;
        let credentials = Credentials::new(name(&self.service_account)?, trust);
        let channel = channel(self.addr, server, credentials.clone());
        let (kept, client) = (credentials.clone(), IdentityClient::new(channel));
        let settings = certify::Settings::default();
        tokio::spawn(
            async move { match certify::run(kept, self.token, client, settings, ()).await {} },
        );
        Ok(credentials)
    }
}

/// Connects when a request is sent, and again after a failure: in plaintext on
/// this machine, else by TLS that checks the server's identity.
fn channel(addr: HostPort, server: IdentityName, credentials: Credentials) -> Channel {
    let connect = tower::service_fn(move |_: Uri| {
        let (addr, server, credentials) = (addr.clone(), server.clone(), credentials.clone());
        async move {
            let io = open(&addr, server, credentials).await?;
            Ok::<_, io::Error>(TokioIo::new(io))
        }
    });
    Endpoint::from_static("http://identity")
        .connect_timeout(CONNECT)
        .connect_with_connector_lazy(connect)
}

/// A connection of either kind.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

async fn open(
    addr: &HostPort,
    server: IdentityName,
    credentials: Credentials,
) -> io::Result<Box<dyn Io>> {
    let (tcp, addr) = addr.connect().await?;
    if addr.ip().to_canonical().is_loopback() {
        return Ok(Box::new(tcp));
    }
    let sni = server.server_name();
    let config =
        credentials.anonymous_client_config(&ServerId::from(&server), vec![b"h2".to_vec()]);
    let tls = TlsConnector::from(config).connect(sni, tcp).await?;
    Ok(Box::new(tls))
}
