//! Certificates, good and bad.

use mesh_identity::{
    TrustBundle,
    ca::{self, RootAndIssuer},
    issuer::{Issuer, IssuerHandle, Validity},
    service::{Certify, Mesh},
    token::local::{LocalTokenKey, LocalVerifier},
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SanType};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// The audience of workload tokens.
pub(crate) const AUDIENCE: &str = "identity.mesh.dev";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A root with an issuer.
#[derive(Clone)]
pub struct Ca(Arc<RootAndIssuer>);

/// A certificate chain with its key.
pub struct Leaf {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS #8.
    pub key: PrivateKeyDer<'static>,
}

impl Ca {
    /// A new root, valid for years.
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        let options = ca::Options {
            clock_skew: 10 * DAY,
            ..ca::Options::default()
        };
        Self(Arc::new(ca::generate(&options, SystemTime::now()).unwrap()))
    }

    /// The root, as PEM.
    pub fn anchors(&self) -> String {
        self.0.root.pem()
    }

    /// The root, as rustls wants it.
    pub fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.root.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// A certificate for `name`, valid now.
    pub fn leaf(&self, name: &str) -> Leaf {
        let now = SystemTime::now();
        self.leaf_within(name, now - HOUR, now + HOUR)
    }

    /// A certificate for `name` that was valid until an hour ago.
    pub fn expired(&self, name: &str) -> Leaf {
        let now = SystemTime::now();
        self.leaf_within(name, now - 2 * HOUR, now - HOUR)
    }

    fn leaf_within(&self, name: &str, from: SystemTime, to: SystemTime) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        params.not_before = from.into();
        params.not_after = to.into();
        let leaf = params.signed_by(&key, &self.0.issuer).unwrap();
        Leaf {
            chain: vec![leaf.der().clone(), self.0.issuer.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }

    /// The identity service with this issuer.
    pub(crate) fn service(&self, tokens: &LocalTokenKey, validity: Validity) -> Certify {
        let trust = TrustBundle::from_pem(&self.anchors()).unwrap();
        let (certificate, key) = (self.0.issuer.pem(), self.0.issuer.key().serialize_pem());
        let now = SystemTime::now();
        let issuer = Issuer::from_pem(certificate.as_bytes(), key.as_bytes(), &trust, now).unwrap();
        let audiences = [AUDIENCE.to_owned()];
        let verifier = LocalVerifier::from_pem(&tokens.public_key_pem(), &audiences).unwrap();
        let mesh = Mesh {
            namespace: "mesh".into(),
            trust_domain: "cluster.local".into(),
        };
        Certify::new(
            IssuerHandle::fixed(issuer),
            Arc::new(verifier),
            mesh,
            validity,
        )
    }
}

/// The identity of service account `sa` in namespace `shop`.
pub fn identity(sa: &str) -> String {
    format!("{sa}.shop.serviceaccount.identity.mesh.cluster.local")
}
