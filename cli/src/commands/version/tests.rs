//! Versions as they are read from pods, and what is said of them.

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::gather::{components, count, tags};
use super::report::{Component, Proxies};
use super::*;
use crate::golden::assert_golden;

fn pod(value: serde_json::Value) -> Pod {
    serde_json::from_value(value).unwrap()
}

fn control(component: &str, label: Option<&str>, image: &str) -> Pod {
    let mut labels = json!({"mesh.dev/control-plane-component": component});
    if let Some(version) = label {
        labels["app.kubernetes.io/version"] = version.into();
    }
    pod(json!({
        "metadata": {"namespace": "mesh", "labels": labels},
        "spec": {"containers": [{"name": component, "image": image}]}
    }))
}

fn component(name: &str, version: &str, pods: usize) -> Component {
    Component {
        name: name.to_owned(),
        version: version.to_owned(),
        pods,
    }
}

#[test]
fn a_pod_says_its_version_by_label_else_by_image() {
    let digest = "localhost:5000/mesh-identity:0.9.0@sha256:1234";
    let pods = [
        control("destination", Some("0.1.0"), "mesh-controller:other"),
        control("destination", Some("0.1.0"), "mesh-controller:other"),
        control("identity", None, digest),
        control("injector", None, "localhost:5000/mesh-controller"),
    ];
    assert_eq!(
        components(&pods),
        [
            component("mesh-destination", "0.1.0", 2),
            component("mesh-identity", "0.9.0", 1),
            component("mesh-injector", "unknown", 1),
        ]
    );
}

#[test]
fn a_proxy_has_the_version_of_the_image_that_runs() {
    let meshed = |place: &str, image: Option<&str>| {
        let mut spec = json!({"containers": [{"name": "app", "image": "app:7"}]});
        if let Some(image) = image {
            spec[place] = json!([{"name": "mesh-proxy", "image": image}]);
        }
        pod(json!({
            "metadata": {"namespace": "shop", "annotations": {"mesh.dev/proxy-version": "0.3.0"}},
            "spec": spec
        }))
    };
    let pods = [
        meshed("initContainers", Some("mesh-proxy:0.1.0")),
        meshed("containers", Some("mesh-proxy:0.1.0")),
        meshed("", None),
    ];
    let proxies = |version: &str, pods| Proxies {
        namespace: "shop".to_owned(),
        version: version.to_owned(),
        pods,
    };
    let of = |tag: &str| {
        tags(&[control(
            "destination",
            Some("0.2.0"),
            &format!("mesh-controller:{tag}"),
        )])
    };
    let counted = count(&pods, &of("dev"));
    assert_eq!(counted, [proxies("0.1.0", 2), proxies("0.3.0", 1)]);
    // A tag of one's own is the version of the control plane that has it.
    let counted = count(&pods, &of("0.1.0"));
    assert_eq!(counted, [proxies("0.2.0", 2), proxies("0.3.0", 1)]);
}

fn proxies(versions: &[(&str, &str, usize)]) -> Vec<Proxies> {
    let proxies = versions.iter().map(|(namespace, version, pods)| Proxies {
        namespace: (*namespace).to_owned(),
        version: (*version).to_owned(),
        pods: *pods,
    });
    proxies.collect()
}

#[test]
fn what_is_printed() {
    let same = || {
        vec![
            component("mesh-destination", CLIENT, 3),
            component("mesh-identity", CLIENT, 1),
        ]
    };
    let mut text = String::new();
    for report in [
        Report::of_client(),
        Report::new("mesh", Vec::new(), None),
        Report::new("mesh", same(), None),
        Report::new("mesh", same(), Some(Vec::new())),
        Report::new(
            "mesh",
            same(),
            Some(proxies(&[("data", CLIENT, 12), ("shop", "0.0.9", 2)])),
        ),
        Report::new(
            "mesh",
            vec![component("mesh-destination", "9.9.9", 1)],
            None,
        ),
        Report::new(
            "mesh",
            vec![
                component("mesh-destination", "9.9.9", 1),
                component("mesh-identity", CLIENT, 1),
            ],
            None,
        ),
    ] {
        text += &report.text();
        for warning in &report.warnings {
            text += &format!("warning: {warning}\n");
        }
        text += &format!("--short:\n{}\n", report.short());
    }
    assert_golden("version.txt", &text);
}

#[test]
fn programs_read_camel_case() {
    let report = Report::new(
        "mesh",
        vec![component("mesh-identity", CLIENT, 1)],
        Some(Vec::new()),
    );
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!(value["controlPlane"]["components"][0]["version"], CLIENT);
    assert_eq!(value["proxies"], json!([]));
    assert_eq!(value["warnings"], json!([]));
}
