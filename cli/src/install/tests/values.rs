//! How values are read, kept and checked.

use super::super::*;

fn bad(text: &str) -> String {
    Values::default()
        .overlaid("v.yaml", text)
        .unwrap_err()
        .to_string()
}

fn over(text: &str) -> Values {
    Values::default().overlaid("v.yaml", text).unwrap()
}

fn mistakes(text: &str) -> Vec<String> {
    let found = check(&over(text), "test");
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn files_are_merged_as_helm_merges_them() {
    let first =
        over("identity: {issuer: {external: true}}\nproxyDefaults: {proxy-uid: '1'}\nreplicas: 2");
    let both = first
        .overlaid(
            "w.yaml",
            "proxyDefaults: {proxy-gid: '2'}\nidentity: {resources: {limits: {memory: 1Gi}}}",
        )
        .unwrap();
    assert!(both.identity.issuer.external);
    assert_eq!(both.proxy_defaults.len(), 2);
    assert_eq!(both.identity.resources["limits"]["memory"], "1Gi");
    assert_eq!(both.identity.resources["requests"]["cpu"], "50m");
    let back = both
        .overlaid(
            "x.yaml",
            "replicas: null\nidentity: null\nproxyDefaults: {proxy-uid: null}",
        )
        .unwrap();
    assert_eq!(back.replicas, None);
    assert_eq!(back.identity, Values::default().identity);
    assert_eq!(back.proxy_defaults.len(), 1);
    assert_eq!(over(""), Values::default());
}

#[test]
fn mistakes_of_a_file_name_file_and_field() {
    for (text, told) in [
        ("a: [", "v.yaml: no valid YAML: "),
        ("- a", "v.yaml: a map of values is expected"),
        (
            "colour: red",
            "v.yaml: colour: unknown field `colour`, expected one of `namespace`",
        ),
        (
            "identity: {issuer: {cert: a}}",
            "v.yaml: identity.issuer.cert: unknown field `cert`",
        ),
        (
            "replicas: many",
            "v.yaml: replicas: invalid type: string \"many\"",
        ),
        (
            "proxyDefaults: {proxy-uid: 7}",
            "v.yaml: proxyDefaults.proxy-uid: invalid type: integer `7`",
        ),
    ] {
        assert!(bad(text).starts_with(told), "{}\n{told}", bad(text));
    }
}

#[test]
fn no_certificate_and_no_key_is_kept() {
    let secret = "identity: {trustAnchors: ANCHORS, issuer: {certificate: CERTIFICATE, key: KEY}}";
    let values = over(secret);
    let stored = values.stored();
    for text in ["ANCHORS", "CERTIFICATE", "KEY"] {
        assert!(!stored.contains(text), "{stored}");
    }
    assert_eq!(over(&stored), Values::default());
}

#[test]
fn what_is_kept_says_what_was_meant() {
    let values = over(super::MANY);
    assert_eq!(over(&values.stored()), values);
}

#[test]
fn every_wrong_value_is_named_by_flag_and_key() {
    let wrong = "\
namespace: my.mesh
clusterDomain: Cluster
registry: a b
tag: x/y
imagePullPolicy: Sometimes
clusterNetworks: 10.0.0.0/99
defaultInboundPolicy: open
opaquePorts: 0-7
replicas: 0
logLevel: loud
identity: {issuanceLifetimeSeconds: 1, clockSkewAllowanceSeconds: 7200, resources: {requests: {cpu: [1]}}}
injector: {failurePolicy: Retry}
proxyDefaults: {proxy-uid: root, proxy-colour: red, opaque-ports: '1'}
";
    let expected = [
        "--mesh-namespace (namespace): \"my.mesh\": ",
        "--cluster-domain (clusterDomain): \"Cluster\": expected a DNS name",
        "--registry (registry): \"a b\": expected an image's name",
        "--tag (tag): \"x/y\": expected an image's tag",
        "--image-pull-policy (imagePullPolicy): \"Sometimes\": expected Always",
        "--cluster-networks (clusterNetworks): \"10.0.0.0/99\": expected networks",
        "--default-inbound-policy (defaultInboundPolicy): \"open\": expected all-unauthenticated",
        "--opaque-ports (opaquePorts): \"0-7\": expected ports",
        "--replicas (replicas): \"0\": expected a number from 1 to 100",
        "--log (logLevel): \"loud\": expected error",
        "--injector-failure-policy (injector.failurePolicy): \"Retry\": expected Ignore or Fail",
        "--identity-issuance-lifetime (identity.issuanceLifetimeSeconds): \"1s\": expected 10 s to 365 days",
        "--identity-clock-skew-allowance (identity.clockSkewAllowanceSeconds): \"7200s\": expected at most",
        "--values (identity.resources): ",
        "--set opaque-ports (proxyDefaults): \"1\": give it by --opaque-ports",
        "--set proxy-colour (proxyDefaults): \"red\": there is no setting proxy-colour",
        "--set proxy-uid (proxyDefaults): \"root\": expected a numeric id",
    ];
    let told = mistakes(wrong);
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

#[test]
fn a_trust_domain_that_fits_no_certificate_is_refused() {
    let told = mistakes("trustDomain: Not_A_Domain");
    assert!(
        told[0].starts_with("--trust-domain (trustDomain): \"Not_A_Domain\": "),
        "{told:?}"
    );
    let long = format!("trustDomain: {}", ["a"; 110].join("."));
    assert_eq!(mistakes(&long).len(), 1);
}

#[test]
fn defaults_that_would_have_every_pod_refused_are_found() {
    let told = mistakes("proxyDefaults: {inbound-port: '4140'}");
    assert!(told[0].contains("four different ports"), "{told:?}");
}
