//! The Helm chart renders what `mesh install` prints: object for object, by the real Helm and the real `mesh`.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod render;

use render::{Certificates, Rendering};
use std::collections::BTreeMap;

/// Rendered by both from the same file of values and the same certificates.
#[track_caller]
fn assert_equal(values: &str, own: bool) {
    let certificates = Certificates::new();
    let rendering = Rendering::new(values, &certificates, own);
    let (ours, helms) = (rendering.mesh(), rendering.helm());
    let names = |objects: &BTreeMap<_, _>| objects.keys().cloned().collect::<Vec<String>>();
    assert_eq!(names(&ours), names(&helms), "other objects");
    for (name, ours) in &ours {
        let helms = &helms[name];
        assert_eq!(
            ours, helms,
            "{name}: mesh install on the left, Helm on the right"
        );
    }
}

#[test]
fn defaults() {
    assert_equal("", true);
}

#[test]
fn high_availability() {
    assert_equal("highAvailability: true", true);
    assert_equal("replicas: 2", true);
}

#[test]
fn an_external_issuer() {
    assert_equal("identity: {issuer: {external: true}}", false);
}

#[test]
fn a_failure_policy_of_fail() {
    assert_equal("injector: {failurePolicy: Fail}", true);
}

#[test]
fn proxy_defaults() {
    let values = r#"
proxyDefaults:
  proxy-cpu-request: 10m
  proxy-image: registry.example.com/other/proxy
  proxy-log-level: warn,mesh=debug
  proxy-additional-env: '[{"name": "A", "value": "<&> \"quoted\""}]'
"#;
    assert_equal(values, true);
}

#[test]
fn everything_else() {
    let values = "
namespace: platform
registry: registry.example.com:5000/mesh
tag: v7
imagePullPolicy: Always
trustDomain: example.org
clusterDomain: k8s.example.org
clusterNetworks: 10.0.0.0/8
disableIPv6: true
defaultInboundPolicy: cluster-authenticated
opaquePorts: '3306'
logLevel: debug
identity: {issuanceLifetimeSeconds: 1234567, clockSkewAllowanceSeconds: 0, resources: {limits: {memory: 1Gi}}}
destination: {resources: {requests: {cpu: 1}}}
";
    assert_equal(values, true);
}

/// What Helm is told when something is missing or wrong.
#[test]
fn mistakes_are_named() {
    let certificates = Certificates::new();
    let refused =
        |values: &str, own: bool| Rendering::new(values, &certificates, own).refused_by_helm();
    let missing = refused("", false);
    assert!(
        missing.contains("identity.issuer.certificate is missing: give the issuer by --set-file"),
        "{missing}"
    );
    let missing = Rendering::without_files("").refused_by_helm();
    assert!(
        missing.contains("identity.trustAnchors is missing"),
        "{missing}"
    );
    let wrong = refused(
        "logLevel: loud\ncolour: red\nproxyDefaults: {proxy-colour: red}",
        true,
    );
    for part in [
        "'/logLevel'",
        "'colour'",
        "'/proxyDefaults'",
        "'proxy-colour'",
    ] {
        assert!(wrong.contains(part), "{part}: {wrong}");
    }
    let key =
        "identity: {trustAnchors: \"-----BEGIN CERTIFICATE-----\\n-----BEGIN PRIVATE KEY-----\"}";
    let wrong = Rendering::without_files(key).refused_by_helm();
    assert!(wrong.contains("has a private key in it"), "{wrong}");
}

/// A release that is kept in the control plane's namespace finds that there, so the chart must not make it.
#[test]
fn the_namespace_is_helms_when_the_release_is_in_it() {
    let certificates = Certificates::new();
    let rendering = Rendering::new("", &certificates, true);
    let objects = rendering.helm_with(&["--namespace", "mesh"]);
    assert!(!objects.contains_key("Namespace/mesh"));
    assert_eq!(objects.len() + 1, rendering.mesh().len());
}
