//! Certificates: made, given, wrong.

use super::super::*;
use mesh_identity::{TrustBundle, ca};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

/// As `mesh identity ca` makes them: anchors, certificate, key.
fn made() -> [String; 3] {
    let made = ca::generate(&ca::Options::default(), SystemTime::now()).unwrap();
    [
        made.root.pem(),
        made.issuer.pem(),
        made.issuer.key().serialize_pem(),
    ]
}

fn values([anchors, certificate, key]: [&str; 3], external: bool) -> Values {
    let mut values = Values::default();
    values.identity.trust_anchors = anchors.to_owned();
    values.identity.issuer.certificate = certificate.to_owned();
    values.identity.issuer.key = key.to_owned();
    values.identity.issuer.external = external;
    values
}

fn refused(files: [&str; 3], external: bool) -> String {
    let error = Credentials::of(&values(files, external), SystemTime::now());
    error.unwrap_err().to_string()
}

#[test]
fn without_files_a_ca_is_made_that_peers_accept() {
    let now = SystemTime::now();
    let made = Credentials::of(&Values::default(), now).unwrap();
    let trust = TrustBundle::from_pem(&made.trust_anchors).unwrap();
    let end = made.issuer.unwrap().check(&trust, now).unwrap();
    assert!(end > now + 360 * DAY);
}

#[test]
fn files_are_used_as_they_are() {
    let files = made();
    let [anchors, certificate, key] = files.each_ref().map(String::as_str);
    let read = Credentials::of(
        &values([anchors, certificate, key], false),
        SystemTime::now(),
    )
    .unwrap();
    assert_eq!(read.trust_anchors, anchors);
    let pair = read.issuer.unwrap();
    assert_eq!([pair.certificate.as_str(), &pair.key], [certificate, key]);
}

/// A root's key in the same file must not end in a ConfigMap.
#[test]
fn only_certificates_are_taken_as_anchors() {
    let [anchors, certificate, key] = made();
    let with_key = format!("# ours\n{key}{anchors}");
    let read = Credentials::of(
        &values([&with_key, &certificate, &key], false),
        SystemTime::now(),
    );
    assert_eq!(read.unwrap().trust_anchors, anchors);
}

#[test]
fn with_an_external_issuer_no_secret_is_written() {
    let [anchors, certificate, key] = made();
    let values = values([&anchors, "", ""], true);
    let read = Credentials::of(&values, SystemTime::now()).unwrap();
    assert_eq!(read.issuer, None);
    let objects = objects(&values, &read, "test");
    assert!(objects.iter().all(|object| object["kind"] != "Secret"));
    assert!(refused(["", "", ""], true).contains("without --identity-trust-anchors-file"));
    assert!(
        refused([&anchors, &certificate, &key], true).contains("with --identity-issuer-key-file")
    );
}

#[test]
fn what_is_missing_is_named() {
    let [anchors, certificate, key] = made();
    for (files, told) in [
        (
            [anchors.as_str(), "", ""],
            "--identity-trust-anchors-file without --identity-issuer-certificate-file",
        ),
        (
            ["", certificate.as_str(), key.as_str()],
            "--identity-issuer-certificate-file without --identity-trust-anchors-file",
        ),
        (
            [anchors.as_str(), certificate.as_str(), ""],
            "--identity-trust-anchors-file without --identity-issuer-key-file",
        ),
    ] {
        let error = refused(files, false);
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn what_peers_would_refuse_is_refused() {
    let [anchors, certificate, key] = made();
    let [other_anchors, _, other_key] = made();
    for (files, told) in [
        (
            [other_anchors.as_str(), certificate.as_str(), key.as_str()],
            "would be refused by peers",
        ),
        (
            [anchors.as_str(), certificate.as_str(), other_key.as_str()],
            "does not belong to the issuer certificate",
        ),
        (
            ["nothing", certificate.as_str(), key.as_str()],
            "--identity-trust-anchors-file (identity.trustAnchors)",
        ),
        (
            [anchors.as_str(), "nothing", key.as_str()],
            "no PEM certificate",
        ),
    ] {
        let error = refused(files, false);
        assert!(error.contains(told), "{error}");
    }
    let files = values([&anchors, &certificate, &key], false);
    let later = Credentials::of(&files, SystemTime::now() + 400 * DAY);
    assert!(later.unwrap_err().to_string().contains("expired"));
}
