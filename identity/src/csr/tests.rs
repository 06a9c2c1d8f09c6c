use proptest::prelude::*;
use rcgen::{
    DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType,
};

use super::*;
use crate::testing::{csr, csr_of, dns, name};

const WEB: &str = "web.shop.serviceaccount.identity.mesh.cluster.local";
const DB: &str = "db.shop.serviceaccount.identity.mesh.cluster.local";

fn refused(der: &[u8]) -> CsrError {
    check(der, &name("web")).unwrap_err()
}

#[test]
fn the_public_key_is_what_is_taken_over() {
    let key = KeyPair::generate().unwrap();
    let der = csr_of(&key, |params| params.subject_alt_names = vec![dns(WEB)]);
    let checked = check(&der, &name("web")).unwrap();
    assert_eq!(
        rcgen::PublicKeyData::der_bytes(checked.public_key()),
        key.public_key_raw()
    );
}

#[test]
fn names_other_than_the_one_are_refused() {
    let two = refused(&csr(vec![dns(WEB), dns(DB)]));
    assert!(two.to_string().contains("has 2 DNS names"), "{two}");
    assert!(two.to_string().contains(DB), "{two}");
    assert!(matches!(refused(&csr(vec![])), CsrError::DnsNames { .. }));
    let other = refused(&csr(vec![dns(DB)])).to_string();
    assert!(other.contains(DB) && other.contains(WEB), "{other}");
    assert!(matches!(
        refused(&csr(vec![dns("*.shop")])),
        CsrError::OtherName { .. }
    ));
    for extra in [
        SanType::URI("spiffe://cluster.local/ns/shop/sa/web".try_into().unwrap()),
        SanType::Rfc822Name("web@shop".try_into().unwrap()),
        SanType::IpAddress([10, 0, 0, 1].into()),
    ] {
        assert!(matches!(
            refused(&csr(vec![dns(WEB), extra])),
            CsrError::OtherKindOfName { .. }
        ));
    }
}

#[test]
fn subject_is_empty_or_the_name() {
    let with = |kind: DnType, value: &str| {
        csr_of(&KeyPair::generate().unwrap(), |params| {
            params.subject_alt_names = vec![dns(WEB)];
            params.distinguished_name.push(kind, value);
        })
    };
    assert!(
        check(&with(DnType::CommonName, WEB), &name("web")).is_ok(),
        "as Linkerd's proxy does"
    );
    for der in [
        with(DnType::CommonName, DB),
        with(DnType::OrganizationName, WEB),
    ] {
        assert!(matches!(refused(&der), CsrError::Subject { .. }));
    }
}

#[test]
fn extensions_are_not_for_the_asking() {
    let ca = csr_of(&KeyPair::generate().unwrap(), |params| {
        params.subject_alt_names = vec![dns(WEB)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    });
    assert_eq!(refused(&ca), CsrError::Extension);
}

#[test]
fn other_keys_are_refused() {
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let der = csr_of(&key, |params| params.subject_alt_names = vec![dns(WEB)]);
        assert_eq!(refused(&der), CsrError::Key);
    }
}

#[test]
fn a_signature_of_another_key_is_refused() {
    let mut der = csr(vec![dns(WEB)]);
    let at = der
        .windows(WEB.len())
        .position(|w| w == WEB.as_bytes())
        .unwrap();
    der[at] = b'v';
    assert_eq!(refused(&der), CsrError::Signature);
}

#[test]
fn what_is_no_csr_is_malformed() {
    let good = csr(vec![dns(WEB)]);
    let trailing = [good.clone(), vec![0]].concat();
    for der in [
        &[][..],
        b"-----BEGIN CERTIFICATE REQUEST-----",
        &good[..good.len() - 1],
        &trailing,
    ] {
        assert_eq!(refused(der), CsrError::Malformed);
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(der in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(check(&der, &name("web")).is_err());
    }

    /// Changes in the part that is signed; the rest is the signature itself.
    #[test]
    fn changed_requests_never_pass(at in 0_usize..300, with in 1_u8..) {
        let mut der = csr(vec![dns(WEB)]);
        let (_, parsed) = X509CertificationRequest::from_der(&der).unwrap();
        let signed = parsed.certification_request_info.raw.len();
        let start = parsed.certification_request_info.raw.as_ptr() as usize - der.as_ptr() as usize;
        der[start + at % signed] ^= with;
        prop_assert!(check(&der, &name("web")).is_err());
    }
}
