//! What the tests of this crate share: a mesh in memory.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, KeyPair, SanType};

use crate::ca::{self, RootAndIssuer};
use crate::credentials::Credentials;
use crate::issuer::{Issuer, Validity};
use crate::name::IdentityName;
use crate::trust::TrustBundle;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A root, an issuer, and the bundle of the root.
pub(crate) struct TestMesh {
    pub(crate) made: RootAndIssuer,
    pub(crate) trust: TrustBundle,
    pub(crate) issuer: Issuer,
}

/// Valid from ten days ago, so that tests can go back in time.
pub(crate) fn ca_options() -> ca::Options {
    ca::Options {
        clock_skew: 10 * DAY,
        ..ca::Options::default()
    }
}

impl TestMesh {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now();
        let made = ca::generate(&ca_options(), now).unwrap();
        let trust = TrustBundle::from_pem(&made.root.pem()).unwrap();
        let issuer = load(&made, &trust, now);
        Self {
            made,
            trust,
            issuer,
        }
    }

    /// A workload of this mesh with a certificate of a day.
    pub(crate) fn workload(&self, service_account: &str) -> Credentials {
        self.workload_at(service_account, SystemTime::now())
    }

    /// The same, certified at another time.
    pub(crate) fn workload_at(&self, service_account: &str, now: SystemTime) -> Credentials {
        let credentials = Credentials::new(name(service_account), self.trust.clone());
        self.issuer
            .provision(&credentials, Validity::default(), now)
            .unwrap();
        credentials
    }
}

pub(crate) fn load(made: &RootAndIssuer, trust: &TrustBundle, now: SystemTime) -> Issuer {
    let key = made.issuer.key().serialize_pem();
    Issuer::from_pem(made.issuer.pem().as_bytes(), key.as_bytes(), trust, now).unwrap()
}

pub(crate) fn name(service_account: &str) -> IdentityName {
    IdentityName::new(service_account, "shop", "mesh", "cluster.local").unwrap()
}

/// A CSR with an empty subject and these alternative names.
pub(crate) fn csr(names: Vec<SanType>) -> Vec<u8> {
    csr_of(&KeyPair::generate().unwrap(), |params| {
        params.subject_alt_names = names
    })
}

pub(crate) fn csr_of(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    params.serialize_request(key).unwrap().der().to_vec()
}

pub(crate) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}
