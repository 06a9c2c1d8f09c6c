use rcgen::{CertifiedIssuer, SanType};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::*;
use crate::ca;
use crate::csr;
use crate::testing::{DAY, TestMesh, ca_options, csr as new_csr, dns, load, name};

mod files;

const HOUR: Duration = Duration::from_secs(3600);

fn web_key() -> CheckedKey {
    csr::check(&new_csr(vec![dns(name("web").as_str())]), &name("web")).unwrap()
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
}

#[test]
fn a_leaf_has_both_names_and_the_asked_life() {
    let (mesh, now) = (TestMesh::new(), SystemTime::now());
    let validity = Validity {
        lifetime: HOUR,
        clock_skew: Duration::from_secs(20),
    };
    let issued = mesh
        .issuer
        .issue(&name("web"), &web_key(), validity, now)
        .unwrap();
    let (_, leaf) = X509Certificate::from_der(&issued.leaf).unwrap();

    let san = leaf.subject_alternative_name().unwrap().unwrap();
    assert!(san.critical, "the subject is empty (RFC 5280 4.2.1.6)");
    assert_eq!(
        san.value.general_names,
        [
            GeneralName::DNSName("web.shop.serviceaccount.identity.mesh.cluster.local"),
            GeneralName::URI("spiffe://cluster.local/ns/shop/sa/web"),
        ]
    );
    assert_eq!(leaf.subject().iter().count(), 0);
    assert!(!leaf.is_ca());
    let (start, end) = (
        leaf.validity().not_before.timestamp(),
        leaf.validity().not_after.timestamp(),
    );
    assert_eq!((start, end), (seconds(now) - 20, seconds(now) + 3620));
    assert_eq!(seconds(issued.not_after), end);
    assert_eq!(issued.intermediates, [mesh.made.issuer.der().clone()]);
}

#[test]
fn a_leaf_never_outlives_issuer_or_root() {
    let now = SystemTime::now();
    for (root, issuer) in [(10 * HOUR, 2 * HOUR), (2 * HOUR, 10 * HOUR)] {
        let options = ca::Options {
            root_lifetime: root,
            issuer_lifetime: issuer,
            ..ca_options()
        };
        let made = ca::generate(&options, now).unwrap();
        let trust = TrustBundle::from_pem(&made.root.pem()).unwrap();
        let issuer = load(&made, &trust, now);
        let issued = issuer
            .issue(&name("web"), &web_key(), Validity::default(), now)
            .unwrap();
        assert_eq!(seconds(issued.not_after), seconds(now + 2 * HOUR));
        let later = now + 3 * HOUR;
        let error = issuer.issue(&name("web"), &web_key(), Validity::default(), later);
        assert!(matches!(error, Err(IssueError::Expired)));
        let huge = Validity {
            lifetime: Duration::MAX,
            clock_skew: Duration::MAX,
        };
        let issued = issuer.issue(&name("web"), &web_key(), huge, now).unwrap();
        assert_eq!(issued.not_after, issuer.not_after());
    }
}

/// What is wrong with an issuer of these two texts?
fn refusal(certificate: &str, key: &str, trust: &TrustBundle, now: SystemTime) -> String {
    Issuer::from_pem(certificate.as_bytes(), key.as_bytes(), trust, now)
        .unwrap_err()
        .to_string()
}

#[test]
fn bad_issuers_are_refused_in_plain_words() {
    let (mesh, other, now) = (TestMesh::new(), TestMesh::new(), SystemTime::now());
    let (certificate, key) = (
        mesh.made.issuer.pem(),
        mesh.made.issuer.key().serialize_pem(),
    );
    let other_key = other.made.issuer.key().serialize_pem();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)
        .unwrap()
        .serialize_pem();
    let cut = &certificate[..certificate.len() / 2];
    for (certificate, key, why) in [
        ("garbage", &*key, "no PEM certificate"),
        (cut, &key, "damaged"),
        (&certificate, "garbage", "not a PEM private key"),
        (&certificate, &p384, "not ECDSA P-256"),
        (
            &certificate,
            &other_key,
            "does not belong to the issuer certificate",
        ),
    ] {
        let error = refusal(certificate, key, &mesh.trust, now);
        assert!(error.contains(why), "{error}");
    }
    let error = refusal(&certificate, &key, &other.trust, now);
    assert!(
        error.contains("not signed by any of our 1 trust anchors"),
        "{error}"
    );
    let error = refusal(&certificate, &key, &mesh.trust, now + 366 * DAY);
    assert!(
        error.contains("expired 86400 s ago") || error.contains("expired 86401 s ago"),
        "{error}"
    );
    let error = refusal(&certificate, &key, &mesh.trust, now - 11 * DAY);
    assert!(error.contains("is the clock right"), "{error}");
}

#[test]
fn a_leaf_can_not_be_an_issuer() {
    let (mesh, now) = (TestMesh::new(), SystemTime::now());
    let params = leaf_params(&name("web"), now - HOUR, now + HOUR).unwrap();
    let leaf = CertifiedIssuer::signed_by(params, new_key().unwrap(), &mesh.made.issuer).unwrap();
    let error = refusal(&leaf.pem(), &leaf.key().serialize_pem(), &mesh.trust, now);
    assert!(error.contains("not a CA certificate"), "{error}");

    // Said to be a CA, but below one that allows none below it.
    let mut params = leaf_params(&name("web"), now - HOUR, now + HOUR).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.subject_alt_names = Vec::<SanType>::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "too deep");
    let deep = CertifiedIssuer::signed_by(params, new_key().unwrap(), &mesh.made.issuer).unwrap();
    let chain = deep.pem() + &mesh.made.issuer.pem();
    let error = refusal(&chain, &deep.key().serialize_pem(), &mesh.trust, now);
    assert!(error.contains("refused by peers"), "{error}");
}

#[test]
fn a_root_can_issue_by_itself_and_chains_can_be_longer() {
    let (mesh, now) = (TestMesh::new(), SystemTime::now());
    let root = &mesh.made.root;
    let issuer = Issuer::from_pem(
        root.pem().as_bytes(),
        root.key().serialize_pem().as_bytes(),
        &mesh.trust,
        now,
    )
    .unwrap();
    let web = Credentials::new(name("web"), mesh.trust.clone());
    issuer.provision(&web, Validity::default(), now).unwrap();
}
