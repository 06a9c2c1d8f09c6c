//! The whole identity process: files in, two listeners out.
//!
//! A bad issuer, bundle or token key at start is fatal, as in Linkerd: nothing
//! depends on a service that never worked, and an exit is what an operator (or a
//! crash loop) shows best. After that, bad files only mean that the last good
//! ones stay in use.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::certify;
use crate::credentials::Credentials;
use crate::issuer::{self, IssuerFiles, IssuerHandle, LoadError, Validity};
use crate::kubernetes::{Access, AccessError};
use crate::name::{IdentityName, NameError};
use crate::service::{Certify, Mesh};
use crate::token::local::TokenKeyError;
use crate::token::{LocalVerifier, ReviewVerifier, TokenVerifier};
use crate::trust::{TrustBundle, TrustError};

pub mod admin;
mod incoming;
mod local;
#[cfg(test)]
mod tests;

pub use incoming::{Connection, Limits, Peer, incoming};

/// Finds clients that vanished without a word.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Everything that an identity process is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where Certify is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where `/live`, `/ready` and `/metrics` are served; port 0 takes a free one.
    pub admin: SocketAddr,
    /// PEM file of the trust anchors; followed.
    pub trust_anchors: PathBuf,
    /// The issuer; followed.
    pub issuer: IssuerFiles,
    /// Which tokens are taken, and who judges them.
    pub tokens: Tokens,
    /// Audiences of which a token must have one.
    pub audiences: Vec<String>,
    /// Which names are given out.
    pub mesh: Mesh,
    /// The process' own service account, in the mesh namespace.
    pub service_account: String,
    /// Life of certificates.
    pub validity: Validity,
    /// How often files are looked at.
    pub poll_interval: Duration,
    /// How long open requests may take after the signal to stop.
    pub grace_period: Duration,
    /// What clients may use up.
    pub limits: Limits,
    /// What `/metrics` shows ([`crate::metrics::install`]); without it, 404.
    pub metrics: Option<PrometheusHandle>,
}

/// The tokens that workloads show.
#[derive(Clone, Debug)]
pub enum Tokens {
    /// Signed by `mesh identity token`; the file has the public key (PEM).
    Local(PathBuf),
    /// Of Kubernetes' service accounts; the API server is asked.
    Kubernetes(Access),
}

impl Tokens {
    async fn verifier(&self, audiences: &[String]) -> Result<Arc<dyn TokenVerifier>, Error> {
        Ok(match self {
            Self::Local(key) => Arc::new(LocalVerifier::load(key, audiences)?),
            Self::Kubernetes(access) => {
                let client = access.client().await?;
                Arc::new(ReviewVerifier::new(client, audiences.to_vec()))
            }
        })
    }
}

/// Why an identity process does not start, or stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Trust anchors.
    #[error("can't use the trust anchors: {0}")]
    Trust(#[from] TrustError),
    /// Issuer.
    #[error("can't use the issuer: {0}")]
    Issuer(#[from] LoadError),
    /// Token key.
    #[error("can't verify tokens: {0}")]
    TokenKey(#[from] TokenKeyError),
    /// Kubernetes' API server.
    #[error("can't verify tokens: {0}")]
    Kubernetes(#[from] AccessError),
    /// The process' own name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A port is taken, an address not ours, ...
    #[error("can't listen on {addr} ({what}): {source}")]
    Listen {
        /// Which listener.
        what: &'static str,
        /// Where.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The gRPC server stopped by itself.
    #[error("the gRPC server failed: {0}")]
    Serve(String),
}

/// An identity process with its files read and its ports bound.
pub struct Server {
    config: Config,
    issuer: IssuerHandle,
    verifier: Arc<dyn TokenVerifier>,
    credentials: Credentials,
    grpc: TcpListener,
    admin: TcpListener,
    addrs: (SocketAddr, SocketAddr),
}

/// [`Server::bind`], then [`Server::run`].
///
/// # Errors
/// When it can't start; see [`Error`].
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    Server::bind(config).await?.run(shutdown).await
}

impl Server {
    /// Reads the files and binds the ports.
    ///
    /// # Errors
    /// When a file can't be used or a port not bound.
    pub async fn bind(config: Config) -> Result<Self, Error> {
        let trust = TrustBundle::watch_file(&config.trust_anchors, config.poll_interval)?;
        let issuer = issuer::watch(config.issuer.clone(), trust.clone(), config.poll_interval)?;
        let verifier = config.tokens.verifier(&config.audiences).await?;
        let Mesh {
            namespace,
            trust_domain,
        } = &config.mesh;
        let name = IdentityName::new(&config.service_account, namespace, namespace, trust_domain)?;
        let (grpc, grpc_addr) = bind("gRPC", config.listen).await?;
        let (admin, admin_addr) = bind("admin", config.admin).await?;
        Ok(Self {
            credentials: Credentials::new(name, trust),
            config,
            issuer,
            verifier,
            grpc,
            admin,
            addrs: (grpc_addr, admin_addr),
        })
    }

    /// Where Certify is served.
    #[must_use]
    pub fn grpc_addr(&self) -> SocketAddr {
        self.addrs.0
    }

    /// Where the admin endpoint is served.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.addrs.1
    }

    /// The name that its own certificate carries.
    #[must_use]
    pub fn name(&self) -> &IdentityName {
        self.credentials.name()
    }

    /// Serves until `shutdown`, then lets open requests end.
    ///
    /// # Errors
    /// When the gRPC server fails.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let Self {
            config,
            issuer,
            verifier,
            credentials,
            grpc,
            admin,
            addrs,
        } = self;
        // Dropped, and so aborted, when this function returns.
        let mut tasks = JoinSet::new();
        let answers = admin::Admin {
            ready: credentials.ready(),
            unready: "no certificate yet",
            detail: Vec::new(),
            metrics: config.metrics,
        };
        tasks.spawn(answers.serve(admin));
        let own = local::Local::new(issuer.clone(), config.validity);
        let settings = certify::Settings {
            min_refresh: Duration::from_secs(1),
            ..Default::default()
        };
        let refreshed = credentials.clone();
        tasks.spawn(async move {
            match certify::keep_fresh(refreshed, None, own, settings, ()).await {}
        });
        let tls = credentials.server_config(vec![b"h2".to_vec()]);
        let service = Certify::new(issuer, verifier, config.mesh, config.validity);
        let incoming = incoming(grpc, tls, config.limits);
        tracing::info!(grpc = %addrs.0, admin = %addrs.1, "Identity service started");
        serve(
            service,
            incoming,
            config.limits,
            config.grace_period,
            shutdown,
        )
        .await
    }
}

/// Serves until `shutdown`, then for at most `grace` what is still open.
async fn serve(
    service: Certify,
    incoming: impl Stream<Item = io::Result<Connection>> + Send,
    limits: Limits,
    grace: Duration,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (stopping, stopped) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        tracing::info!("Shutting down");
        let _ = stopping.send(());
    };
    let serving = tonic::transport::Server::builder()
        .timeout(limits.request)
        .max_concurrent_streams(limits.streams)
        .http2_max_header_list_size(limits.header_list)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .serve_with_incoming_shutdown(service.into_server(), incoming, signal);
    let forced = async {
        // Without a signal there is no end to wait for.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = serving => served.map_err(|e| Error::Serve(e.to_string())),
        () = forced => {
            tracing::warn!(?grace, "Requests still open after the grace period");
            Ok(())
        }
    }
}

async fn bind(what: &'static str, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { what, addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}
