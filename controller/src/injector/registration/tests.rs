//! A webhook configuration as it is found, and what is written to it.

use super::*;
use mesh_identity::ca;
use std::time::SystemTime;

fn root() -> String {
    let made = ca::generate(&ca::Options::default(), SystemTime::now()).unwrap();
    made.root.pem()
}

fn configuration(webhook: &str) -> MutatingWebhookConfiguration {
    serde_json::from_value(json!({
        "metadata": {"name": SERVICE, "resourceVersion": "7"},
        "webhooks": [
            {"name": "other.example.com", "clientConfig": {"url": "https://x"},
                "sideEffects": "None", "admissionReviewVersions": ["v1"]},
            {"name": webhook, "clientConfig": {"service": {"name": SERVICE, "namespace": "mesh"}},
                "sideEffects": "None", "admissionReviewVersions": ["v1"]},
        ],
    }))
    .unwrap()
}

#[test]
fn a_bundle_is_written_once_and_with_the_version_that_was_read() {
    let (own, now) = (root(), Timestamp::now());
    let mut found = configuration(WEBHOOK);
    let patch = change(&found, &own, now).unwrap().expect("it lacks us");
    assert_eq!(patch["metadata"]["resourceVersion"], "7");
    assert_eq!(patch["webhooks"][0]["name"], WEBHOOK);
    let bundle: ByteString =
        serde_json::from_value(patch["webhooks"][0]["clientConfig"]["caBundle"].clone()).unwrap();
    assert!(bundle.0.starts_with(b"-----BEGIN CERTIFICATE-----"));

    let claims = patch["metadata"]["annotations"][CLAIMS].as_str().unwrap();
    let annotations = [(CLAIMS.to_owned(), claims.to_owned())];
    found.metadata.annotations = Some(annotations.into());
    found.webhooks.as_mut().unwrap()[1].client_config.ca_bundle = Some(bundle);
    assert_eq!(change(&found, &own, now).unwrap(), None);
}

#[test]
fn a_configuration_of_something_else_is_left_alone() {
    let error = change(&configuration("x.example.com"), &root(), Timestamp::now()).unwrap_err();
    assert!(error.contains("no webhook injector.mesh.dev"), "{error}");
}
