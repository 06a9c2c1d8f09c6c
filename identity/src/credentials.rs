//! A workload's credentials: its name, its current certificate, whom it trusts.
//!
//! TLS configurations are made once and live as long as the connections that
//! use them, while certificates change every few hours and roots now and then.
//! So a configuration holds no certificate: its resolver and its verifiers read
//! the newest one (an `ArcSwap`) at each handshake. Rotation then needs no
//! signal, no rebuilt configuration and no dropped connection. The alternative,
//! a new configuration with each certificate (Linkerd's `watch::Receiver<ServerConfig>`),
//! leaves every holder to notice the change.
//!
//! Sessions are never resumed: a ticket would outlive the certificate and the
//! root by which its peer was judged.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use rustls::client::{ClientConfig, Resumption, danger::ServerCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::sync::watch;

use crate::crypto;
use crate::name::{IdentityName, ServerId};
use crate::trust::TrustBundle;

pub(crate) mod chain;
mod install;
mod resolve;
#[cfg(test)]
mod tests;
mod verify;

pub use chain::PeerError;
pub use install::InstallError;
use resolve::Resolver;

/// A workload's name, certificate and trust. Clones share all of it.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    name: IdentityName,
    trust: TrustBundle,
    current: Arc<ArcSwapOption<Current>>,
    ready: watch::Sender<bool>,
}

/// The certificate in use with its key.
struct Current {
    key: Arc<rustls::sign::CertifiedKey>,
    not_after: SystemTime,
}

impl Credentials {
    /// Credentials that have no certificate yet.
    #[must_use]
    pub fn new(name: IdentityName, trust: TrustBundle) -> Self {
        Self(Arc::new(Inner {
            name,
            trust,
            current: Arc::default(),
            ready: watch::Sender::new(false),
        }))
    }

    /// Puts a certificate in use for all handshakes from now on.
    ///
    /// `chain` is the leaf, then its intermediates; `key` the leaf's private key.
    ///
    /// # Errors
    /// When the certificate doesn't fit the key, the name, the trust bundle or
    /// the time; what was in use before stays so.
    pub fn install(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivatePkcs8KeyDer<'static>,
        now: SystemTime,
    ) -> Result<(), InstallError> {
        let current = install::check(&self.0.name, &self.0.trust, chain, key, now)?;
        self.0.current.store(Some(Arc::new(current)));
        self.0.ready.send_replace(true);
        Ok(())
    }

    /// Configuration for the server side of mutual TLS.
    ///
    /// A client need not present a certificate; one that it presents must be of a
    /// root in the bundle. Before the first certificate, handshakes fail.
    #[must_use]
    pub fn server_config(&self, alpn: Vec<Vec<u8>>) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(crypto::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has TLS 1.3 suites")
            .with_client_cert_verifier(Arc::new(verify::Clients::new(self.0.trust.clone())))
            .with_cert_resolver(self.resolver());
        config.alpn_protocols = alpn;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Arc::new(config)
    }

    /// Configuration for the client side of mutual TLS to one server identity.
    ///
    /// The SNI that the caller hands to the connector is sent as it is; what is
    /// verified is `server_id`. Without a certificate yet, none is presented.
    #[must_use]
    pub fn client_config(&self, server_id: &ServerId, alpn: Vec<Vec<u8>>) -> Arc<ClientConfig> {
        let config =
            client_builder(self.verifier(server_id)).with_client_cert_resolver(self.resolver());
        finish_client(config, alpn)
    }

    /// The same, never presenting a certificate: for the identity service, which
    /// has to be reached before there is one.
    #[must_use]
    pub fn anonymous_client_config(
        &self,
        server_id: &ServerId,
        alpn: Vec<Vec<u8>>,
    ) -> Arc<ClientConfig> {
        finish_client(
            client_builder(self.verifier(server_id)).with_no_client_auth(),
            alpn,
        )
    }

    /// The judge of a server in those configurations, for a client that wants to see what it refuses.
    #[must_use]
    pub fn verifier(&self, server_id: &ServerId) -> Arc<dyn ServerCertVerifier> {
        Arc::new(verify::Server::new(self.0.trust.clone(), server_id.clone()))
    }

    /// False until the first certificate, true ever after.
    #[must_use]
    pub fn ready(&self) -> watch::Receiver<bool> {
        self.0.ready.subscribe()
    }

    /// When the certificate in use ends; `None` before the first.
    #[must_use]
    pub fn expiry(&self) -> Option<SystemTime> {
        self.0
            .current
            .load()
            .as_ref()
            .map(|current| current.not_after)
    }

    /// The workload's own name.
    #[must_use]
    pub fn name(&self) -> &IdentityName {
        &self.0.name
    }

    /// Whom the workload trusts.
    #[must_use]
    pub fn trust(&self) -> &TrustBundle {
        &self.0.trust
    }

    /// Would a peer with our bundle accept our certificate?
    pub(crate) fn is_trusted(&self, now: SystemTime) -> bool {
        let current = self.0.current.load();
        let chain = current
            .as_ref()
            .and_then(|current| current.key.cert.split_first());
        chain.is_some_and(|(leaf, intermediates)| {
            let now = chain::unix_time(now);
            chain::verify(
                &self.0.trust,
                leaf,
                intermediates,
                now,
                chain::Usage::Server,
            )
            .is_ok()
        })
    }

    fn resolver(&self) -> Arc<Resolver> {
        Arc::new(Resolver::new(Arc::clone(&self.0.current)))
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("name", &self.0.name)
            .field("trust", &self.0.trust)
            .field("expiry", &self.expiry())
            .finish_non_exhaustive()
    }
}

/// The identity in a peer's certificates as TLS gives them (leaf first): the first
/// DNS SAN, else the first URI SAN, as a Linkerd proxy reads it.
///
/// Only to be asked about a chain that a handshake has verified.
#[must_use]
pub fn peer_identity(certificates: &[CertificateDer<'_>]) -> Option<String> {
    chain::names(certificates.first()?).into_iter().next()
}

fn client_builder(
    verifier: Arc<dyn ServerCertVerifier>,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder_with_provider(crypto::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has TLS 1.3 suites")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
}

fn finish_client(mut config: ClientConfig, alpn: Vec<Vec<u8>>) -> Arc<ClientConfig> {
    config.alpn_protocols = alpn;
    config.resumption = Resumption::disabled();
    Arc::new(config)
}
