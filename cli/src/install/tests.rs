//! What is rendered, from fixed values and certificates.

use super::{credentials::Pair, output::Format, *};
use crate::golden::assert_golden;
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    apps::v1::Deployment,
    core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount},
    policy::v1::PodDisruptionBudget,
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

mod chart;
mod credentials;
mod values;

/// Recognisable, and no certificates.
fn fixed() -> Credentials {
    Credentials {
        trust_anchors: "the anchors\nof a test\n".to_owned(),
        issuer: Some(Pair {
            certificate: "the issuer's certificate\n".to_owned(),
            key: "the issuer's key\n".to_owned(),
        }),
    }
}

/// Without the version, which changes with each release.
fn rendered(values: &str) -> Vec<Value> {
    let values = Values::default().overlaid("test", values).unwrap();
    assert_eq!(check(&values, "test"), []);
    objects(&values, &fixed(), "test")
}

const MANY: &str = "\
namespace: platform
registry: registry.example.com/mesh
tag: v7
imagePullPolicy: Always
highAvailability: true
trustDomain: example.org
clusterDomain: k8s.example.org
disableIPv6: true
defaultInboundPolicy: cluster-authenticated
opaquePorts: 3306,9000-9002
logLevel: debug
identity: {issuanceLifetimeSeconds: 3600, issuer: {external: true}}
injector: {failurePolicy: Fail, resources: {limits: null}}
proxyDefaults:
  proxy-cpu-request: 10m
  proxy-additional-env: '[{\"name\": \"MESH_PROXY_INBOUND_DETECT_TIMEOUT\", \"value\": \"1s\"}]'
";

#[test]
fn the_control_plane_is_as_recorded() {
    assert_golden("install.yaml", &output::text(&rendered(""), Format::Yaml));
    assert_golden(
        "install-many.yaml",
        &output::text(&rendered(MANY), Format::Yaml),
    );
}

#[test]
fn both_forms_say_the_same() {
    let objects = rendered(MANY);
    let yaml = output::text(&objects, Format::Yaml);
    let documents = yaml.split("---\n").skip(1);
    let read: Vec<Value> = documents
        .map(|text| mesh_controller::manifests::read(text).unwrap())
        .collect();
    assert_eq!(read, objects);
    let list: Value = serde_json::from_str(&output::text(&objects, Format::Json)).unwrap();
    assert_eq!(list["items"], Value::from(objects));
}

/// No misspelt or misplaced field: read into the API's types, they say the same.
#[test]
fn every_object_is_of_its_kind() {
    fn same<T: Serialize + DeserializeOwned>(object: &Value) {
        let typed: T = serde_json::from_value(object.clone()).unwrap();
        assert_eq!(&serde_json::to_value(typed).unwrap(), object);
    }
    for object in rendered("")
        .iter()
        .chain(&rendered("highAvailability: true"))
    {
        match object["kind"].as_str().unwrap() {
            "Namespace" => same::<Namespace>(object),
            "ConfigMap" => same::<ConfigMap>(object),
            "Secret" => same::<Secret>(object),
            "ServiceAccount" => same::<ServiceAccount>(object),
            "ClusterRole" => same::<ClusterRole>(object),
            "ClusterRoleBinding" => same::<ClusterRoleBinding>(object),
            "Service" => same::<Service>(object),
            "Deployment" => same::<Deployment>(object),
            "PodDisruptionBudget" => same::<PodDisruptionBudget>(object),
            "MutatingWebhookConfiguration" => same::<MutatingWebhookConfiguration>(object),
            kind => panic!("a {kind} that this test does not know"),
        }
    }
}

/// `mesh uninstall` and `mesh prune` find them by these.
#[test]
fn every_object_has_our_labels() {
    for object in rendered(MANY) {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels[PART_OF.0], PART_OF.1);
        assert_eq!(labels[CONTROL_PLANE], "platform");
    }
}

#[test]
fn no_two_objects_are_one() {
    let mut names: Vec<_> = rendered("highAvailability: true")
        .iter()
        .map(|object| format!("{} {}", object["kind"], object["metadata"]["name"]))
        .collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// docs/config.md has a row for each flag of the programs, as their own tests see to.
#[test]
fn the_programs_have_the_flags_that_they_are_given() {
    let documented = include_str!("../../../docs/config.md");
    let objects = rendered(MANY);
    let args = objects.iter().filter_map(|object| {
        object
            .pointer("/spec/template/spec/containers/0/args")?
            .as_array()
    });
    for arg in args.flatten() {
        let flag = arg.as_str().unwrap().split('=').next().unwrap();
        assert!(
            documented.contains(&format!("| {flag} | ")),
            "no flag {flag}"
        );
    }
}

/// A new proxy default restarts the injector; nothing else may.
#[test]
fn the_injector_rolls_when_the_defaults_change() {
    let sum = |values: &str| {
        let objects = rendered(values);
        let deployment = objects.iter().find(|object| {
            object["kind"] == "Deployment" && object["metadata"]["name"] == "mesh-injector"
        });
        deployment.unwrap()["spec"]["template"]["metadata"]["annotations"].clone()
    };
    assert_eq!(sum(""), sum("highAvailability: true"));
    assert_ne!(sum(""), sum("proxyDefaults: {proxy-cpu-request: 10m}"));
    assert_ne!(sum(""), sum("tag: v7"));
}
