//! This proxy's identity: from settings to a certificate that stays fresh.
//!
//! The protocol is `mesh-identity`'s; here it gets the proxy's settings and a
//! control-plane client. The identity service is reached with server
//! authentication alone, as there is no certificate to show it yet (and by Linkerd
//! never is); every other service waits for the first certificate.

use crate::control::{
    ControlAddr, ControlClient, ControlConfig, ControlObserver, ControlTls, SharedResolver,
};
use linkerd2_proxy_api::identity::identity_client::IdentityClient;
use mesh_identity::{
    Credentials, IdentityName, ServerId, TrustBundle, certify,
    name::NameError,
    trust::{POLL_INTERVAL, TrustError},
};
use rustls::pki_types::ServerName;
use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

/// Who this proxy is and who says so.
#[derive(Clone, Debug)]
pub struct IdentityConfig {
    /// This proxy's own name: `IDENTITY_LOCAL_NAME`, else `IDENTITY_SERVER_ID`.
    pub name: Arc<str>,
    /// The roots of trust.
    pub trust_anchors: TrustAnchors,
    /// `IDENTITY_TOKEN_FILE`; read again for every request.
    pub token_file: PathBuf,
    /// `IDENTITY_SVC_ADDR` and `_NAME`.
    pub service: ControlConfig,
    /// `IDENTITY_MIN_REFRESH`: a certificate is renewed at most this often.
    pub min_refresh: Duration,
    /// `IDENTITY_MAX_REFRESH`: and at least this often.
    pub max_refresh: Duration,
}

/// Where the roots of trust come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustAnchors {
    /// `IDENTITY_TRUST_ANCHORS`: PEM, fixed for the life of the process.
    Pem(String),
    /// `IDENTITY_TRUST_ANCHORS_FILE`: PEM, read again when it changes.
    File(PathBuf),
}

/// Why there can be no identity with these settings.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Our own name, or that of a service, is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The trust anchors can't be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A control-plane service is named by something that can't be asked for in TLS.
    #[error("the control plane's identity {0:?} is no DNS name, which its SNI has to be")]
    ServerName(Arc<str>),
}

/// This proxy's identity. Its credentials are usable at once; they get their first
/// certificate, and all later ones, while [`Identity::run`] runs.
#[derive(Clone, Debug)]
pub struct Identity {
    config: IdentityConfig,
    credentials: Credentials,
}

impl Identity {
    /// Reads name and trust anchors. Within a runtime, as a file of anchors is followed.
    ///
    /// # Errors
    /// [`IdentityError`] names the setting's value that can't be used.
    pub fn new(config: IdentityConfig) -> Result<Self, IdentityError> {
        let name: IdentityName = config.name.parse()?;
        let trust = match &config.trust_anchors {
            TrustAnchors::Pem(pem) => TrustBundle::from_pem(pem)?,
            TrustAnchors::File(path) => TrustBundle::watch_file(path, POLL_INTERVAL)?,
        };
        let credentials = Credentials::new(name, trust);
        Ok(Self {
            config,
            credentials,
        })
    }

    /// What TLS configurations are made from.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Where the identity service is.
    pub fn addr(&self) -> ControlAddr {
        self.config.service.addr.clone()
    }

    /// Mutual TLS to a control-plane service, once there is a certificate; `None`
    /// when the service has no identity configured and so must be on loopback.
    ///
    /// # Errors
    /// When the service's identity is no name.
    pub fn mutual_tls(&self, addr: &ControlAddr) -> Result<Option<ControlTls>, IdentityError> {
        let tls = |(id, server_name)| ControlTls {
            config: self.credentials.client_config(&id, Vec::new()),
            server_name,
            ready: Some(self.credentials.ready()),
        };
        Ok(server(addr)?.map(tls))
    }

    /// TLS to the identity service.
    fn anonymous_tls(&self) -> Result<Option<ControlTls>, IdentityError> {
        let tls = |(id, server_name)| ControlTls {
            config: self.credentials.anonymous_client_config(&id, Vec::new()),
            server_name,
            ready: None,
        };
        Ok(server(&self.config.service.addr)?.map(tls))
    }

    /// Asks for certificates for as long as it is polled.
    ///
    /// # Errors
    /// At once, when the identity service's own identity is no name.
    pub async fn run(
        self,
        dns: SharedResolver,
        control: Arc<dyn ControlObserver>,
        observer: impl certify::Observer,
    ) -> Result<Infallible, IdentityError> {
        let tls = self.anonymous_tls()?;
        let Self {
            config,
            credentials,
        } = self;
        let backoff = config.service.backoff;
        let settings = certify::Settings {
            min_refresh: config.min_refresh,
            max_refresh: config.max_refresh,
            backoff: certify::Backoff {
                min: backoff.min(),
                max: backoff.max(),
                jitter: backoff.jitter(),
            },
            ..certify::Settings::default()
        };
        let client = ControlClient::new(config.service, tls, dns, control);
        let client = IdentityClient::new(client.channel());
        Ok(certify::run(credentials, config.token_file, client, settings, observer).await)
    }
}

/// Whom to verify and which name to ask for.
fn server(addr: &ControlAddr) -> Result<Option<(ServerId, ServerName<'static>)>, IdentityError> {
    let Some(identity) = &addr.identity else {
        return Ok(None);
    };
    let server_name = ServerName::try_from(identity.to_string())
        .map_err(|_| IdentityError::ServerName(identity.clone()))?;
    Ok(Some((identity.parse()?, server_name)))
}

#[cfg(test)]
mod tests;
