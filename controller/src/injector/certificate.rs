//! The webhook's own certificate: made in memory and replaced by itself.
//!
//! The API server trusts what the webhook configuration's `caBundle` says, which
//! we write ourselves; so nobody else's CA is needed, and there is no Secret to
//! renew or to leak. Each replica has its own root, so the bundle holds them all.
//!
//! A new root must be in the bundle before a certificate of it is served, and the
//! old one stay until no API server uses an old bundle: [`Rotation`] is a state
//! machine over time (given as argument), [`Rotation::step`] makes it go on, and
//! the bundle to write is always [`Rotation::bundle`].

use arc_swap::ArcSwap;
use mesh_identity::{
    ca::{self, CaError},
    crypto,
};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::watch;

/// Life of a certificate and its root.
const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// A new one is made when this much of the life is over.
const RENEW_AFTER: Duration = Duration::from_secs(20 * 24 * 3600);
/// Between a change of the bundle and the use of it: API servers read the
/// configuration by a watch, within seconds.
const SETTLE: Duration = Duration::from_secs(3600);

/// Between looks at the clock.
const INTERVAL: Duration = Duration::from_secs(60);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Root.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// Certificate; most likely the name.
    #[error("can't make the webhook's certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// TLS library.
    #[error("can't use the webhook's certificate: {0}")]
    Tls(#[from] rustls::Error),
}

/// A root and the one certificate it signed; its key is dropped.
struct Pair {
    root: String,
    certified: Arc<CertifiedKey>,
    made: SystemTime,
}

/// What is served, shared with connections.
#[derive(Debug)]
struct Served(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Certificates over time.
pub struct Rotation {
    /// DNS name of the webhook's Service.
    name: String,
    served: Arc<Served>,
    current: Pair,
    state: State,
}

/// Where a change is.
enum State {
    /// One root.
    Steady,
    /// The next root is in the bundle, and served once that has settled.
    Announced(Pair),
    /// The root before is in the bundle still; since when the new one is served.
    Replaced { before: String, at: SystemTime },
}

/// What a step has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Waits,
    /// The bundle: it has to be written to the webhook configuration.
    Bundle,
    /// The certificate that is served.
    Serves,
}

impl Rotation {
    /// Makes the first certificate, for a Service's name: `mesh-injector.mesh.svc`.
    ///
    /// # Errors
    /// When the name is no DNS name.
    pub fn start(name: &str, now: SystemTime) -> Result<Self, CertificateError> {
        let current = make(name, now)?;
        let served = Arc::new(Served(ArcSwap::new(current.certified.clone())));
        Ok(Self {
            name: name.to_owned(),
            served,
            current,
            state: State::Steady,
        })
    }

    /// Goes on if it is time to; call it every minute or so, with the bundle of
    /// the step before written. A step is not repeated for a failed write, so
    /// write again until it works.
    ///
    /// # Errors
    /// When no certificate can be made; the one in use stays, and the next call
    /// tries again.
    pub fn step(&mut self, now: SystemTime) -> Result<Step, CertificateError> {
        let after = |then: SystemTime, time| now.duration_since(then).is_ok_and(|age| age >= time);
        match std::mem::replace(&mut self.state, State::Steady) {
            State::Steady if after(self.current.made, RENEW_AFTER) => {
                self.state = State::Announced(make(&self.name, now)?);
                Ok(Step::Bundle)
            }
            State::Announced(next) if after(next.made, SETTLE) => {
                self.served.0.store(next.certified.clone());
                let before = std::mem::replace(&mut self.current, next).root;
                self.state = State::Replaced { before, at: now };
                Ok(Step::Serves)
            }
            State::Replaced { at, .. } if after(at, SETTLE) => Ok(Step::Bundle),
            state => {
                self.state = state;
                Ok(Step::Waits)
            }
        }
    }

    /// Goes on for as long as the process lives. Each new bundle is sent, for
    /// whoever writes it to the webhook configuration.
    pub async fn run(mut self, bundles: watch::Sender<String>) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.step(SystemTime::now()) {
                Ok(Step::Waits) => {}
                Ok(step) => {
                    tracing::info!(?step, "The injector's certificate changes");
                    bundles.send_replace(self.bundle());
                }
                Err(error) => tracing::warn!(%error, "Can't renew the injector's certificate"),
            }
        }
    }

    /// The roots to trust now (PEM), for `caBundle`.
    #[must_use]
    pub fn bundle(&self) -> String {
        let other = match &self.state {
            State::Steady => "",
            State::Announced(next) => &next.root,
            State::Replaced { before, .. } => before,
        };
        format!("{}{other}", self.current.root)
    }

    /// For the listener: new connections get the certificate of their time.
    ///
    /// # Errors
    /// When the TLS library refuses its own settings.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let builder = ServerConfig::builder_with_provider(crypto::provider());
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
        let mut config = builder
            .with_no_client_auth()
            .with_cert_resolver(self.served.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn make(name: &str, now: SystemTime) -> Result<Pair, CertificateError> {
    let options = ca::Options {
        trust_domain: name.to_owned(),
        root_lifetime: LIFE,
        issuer_lifetime: LIFE,
        ..ca::Options::default()
    };
    let made = ca::generate(&options, now)?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = (now - options.clock_skew).into();
    params.not_after = (now + LIFE).into();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let leaf = params.signed_by(&key, &made.root)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let certified = CertifiedKey::from_der(vec![leaf.der().clone()], key, &crypto::provider())?;
    Ok(Pair {
        root: made.root.pem(),
        certified: Arc::new(certified),
        made: now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(rotation: &Rotation) -> usize {
        rotation
            .bundle()
            .matches("-----BEGIN CERTIFICATE-----")
            .count()
    }

    #[test]
    fn a_new_root_is_announced_served_and_then_alone() {
        let start = SystemTime::now();
        let mut rotation = Rotation::start("mesh-injector.mesh.svc", start).unwrap();
        let (served, bundle) = (rotation.served.0.load_full(), rotation.bundle());
        assert_eq!(
            rotation.step(start + RENEW_AFTER - SETTLE).unwrap(),
            Step::Waits
        );

        let announced = start + RENEW_AFTER;
        assert_eq!(rotation.step(announced).unwrap(), Step::Bundle);
        assert_eq!(roots(&rotation), 2);
        assert!(
            Arc::ptr_eq(&served, &rotation.served.0.load()),
            "not before it is trusted"
        );
        assert_eq!(rotation.step(announced + SETTLE / 2).unwrap(), Step::Waits);

        let replaced = announced + SETTLE;
        assert_eq!(rotation.step(replaced).unwrap(), Step::Serves);
        assert!(!Arc::ptr_eq(&served, &rotation.served.0.load()));
        assert_eq!(
            roots(&rotation),
            2,
            "an API server may still have the old bundle"
        );

        assert_eq!(rotation.step(replaced + SETTLE).unwrap(), Step::Bundle);
        assert_eq!(roots(&rotation), 1);
        assert_ne!(rotation.bundle(), bundle);
        assert_eq!(rotation.step(replaced + 2 * SETTLE).unwrap(), Step::Waits);
    }

    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        let start = SystemTime::now();
        let mut rotation = Rotation::start("mesh-injector.mesh.svc", start).unwrap();
        assert_eq!(rotation.step(start - LIFE).unwrap(), Step::Waits);
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        assert!(Rotation::start("mesh injector\u{e9}", SystemTime::now()).is_err());
    }
}
