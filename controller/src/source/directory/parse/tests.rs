//! Good manifests, and each kind of bad one with its error.

use super::*;
use crate::model::object::ObjectKey;
use proptest::prelude::*;

const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 80}]}}";

fn keys(text: &str) -> Vec<String> {
    let manifest = manifest(text).unwrap_or_else(|error| panic!("{error}"));
    manifest
        .objects
        .iter()
        .map(Object::key)
        .map(|key: ObjectKey| key.to_string())
        .collect()
}

fn error(text: &str) -> String {
    manifest(text)
        .err()
        .map_or_else(|| panic!("accepted: {text}"), |error| error.to_string())
}

#[test]
fn documents_lists_and_json() {
    assert!(keys("").is_empty());
    assert!(keys("# only a comment\n---\n---\n").is_empty());
    assert_eq!(
        keys(&format!("---\n{SERVICE}\n--- # two\n{SERVICE}")),
        ["Service shop/web"; 2]
    );
    assert_eq!(
        keys(&format!("\u{feff}%YAML 1.2\n---\n{SERVICE}\n...\n")).len(),
        1
    );
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {SERVICE}\n- {SERVICE}\n");
    assert_eq!(keys(&list), ["Service shop/web"; 2]);
    let json = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"}}"#;
    assert_eq!(keys(json), ["Node a"]);
    assert_eq!(
        keys("apiVersion: v1\r\nkind: Node\r\nmetadata: {name: a}\r\n"),
        ["Node a"]
    );
}

#[test]
fn only_true_and_false_are_no_text() {
    let node = "{apiVersion: v1, kind: Node, metadata: {name: y, labels: {a: yes, b: on, c: '1'}}}";
    assert_eq!(keys(node), ["Node y"]);
    assert!(error(&node.replace("yes", "true")).contains("metadata.labels"));
}

#[test]
fn other_kinds_are_kept_aside() {
    assert!(
        keys("{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}}")
            .is_empty()
    );
    assert!(keys("{apiVersion: apps/v1, kind: Deployment, spec: 7}").is_empty());
    assert!(keys("{apiVersion: example.com/v9, kind: Pod}").is_empty());
}

#[test]
fn no_kubernetes_object() {
    let cases = [
        "just text",
        "7",
        "[1, 2]",
        "a: b",
        "{kind: Service}",
        "{apiVersion: v1, kind: [Service]}",
    ];
    for text in cases {
        let error = error(text);
        assert!(
            error.starts_with("document 1, line 1: no Kubernetes object: "),
            "{error}"
        );
    }
}

#[test]
fn no_yaml() {
    let text = format!("{SERVICE}\n---\n\nkind: Service\n  bad: indent: here\n");
    let error = error(&text);
    assert!(
        error.starts_with("document 2, line 5: no valid YAML: "),
        "{error}"
    );
    for text in [
        "{",
        "a: &x [*x",
        "\t- a",
        "\u{0}",
        "a: !!binary ///",
        "? ? ?",
    ] {
        assert!(manifest(text).is_err(), "{text:?}");
    }
    assert!(manifest(&"[".repeat(100_000)).is_err(), "deep");
    let laughs = (1..30).map(|i| format!("a{i}: &a{i} [*a{0}, *a{0}]\n", i - 1));
    let bomb = format!("a0: &a0 [ha]\n{}", laughs.collect::<String>());
    assert!(manifest(&bomb).is_err(), "a billion laughs");
}

#[test]
fn a_service_without_ports() {
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector: {a: b}\n";
    let expected =
        "document 1 (Service web), line 6: spec.ports: a Service needs at least one port";
    assert_eq!(error(text), expected);
    assert_eq!(
        error(&text.replace("spec:\n  selector: {a: b}\n", "")),
        "document 1 (Service web), line 1: spec: a Service needs a spec"
    );
    assert_eq!(
        keys(&text.replace("selector: {a: b}", "clusterIP: None")).len(),
        1,
        "headless"
    );
}

#[test]
fn a_slice_with_a_bad_address() {
    let slice = |family: &str, address: &str| {
        format!(
            "{SERVICE}\n---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: web-1\n  namespace: shop\n  labels: {{kubernetes.io/service-name: web}}\naddressType: {family}\nports: [{{port: 80}}]\nendpoints:\n- addresses: [10.0.0.1]\n- addresses:\n  - {address}\n"
        )
    };
    let at = "document 2 (EndpointSlice shop/web-1), line 14: endpoints[1].addresses[0]: ";
    assert_eq!(
        error(&slice("IPv4", "10.0.0.300")),
        format!("{at}\"10.0.0.300\" is no IP address")
    );
    assert_eq!(
        error(&slice("IPv4", "'fd00::1'")),
        format!("{at}fd00::1 is not of the slice's addressType")
    );
    assert!(error(&slice("IPv5", "10.0.0.1")).contains("line 9: addressType: \"IPv5\" is none of"));
    assert_eq!(
        keys(&slice("IPv4", "127.0.1.1")).len(),
        2,
        "loopback is fine"
    );
}

#[test]
fn fields_of_the_wrong_type_or_range() {
    let service = |ports: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n  ports:\n  - name: x\n    {ports}\n"
        )
    };
    let cases = [
        ("port: eighty", "line 7: spec.ports[0].port: invalid type"),
        (
            "port: 70000",
            "line 7: spec.ports[0].port: port 70000 is not between 1 and 65535",
        ),
        ("port: 0", "spec.ports[0].port: port 0"),
        ("nothing: 1", "spec.ports[0]"),
        ("{port: 80, targetPort: 99999}", "line"),
    ];
    for (ports, expected) in cases {
        let error = error(&service(ports));
        assert!(error.contains(expected), "{error}");
    }
    let twice = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}, {port: 80}]}}";
    assert!(error(twice).contains("spec.ports[1].port: port 80 is there twice"));
    assert!(
        error("{apiVersion: v1, kind: Node, metadata: {}}")
            .contains("metadata.name: an object needs a name")
    );
    let ip = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: here, ports: [{port: 80}]}}";
    assert!(error(ip).contains("spec.clusterIP: \"here\" is no IP address"));
    let annotation = "{apiVersion: v1, kind: Node, metadata: {name: a, labels: {x: 1}}}";
    assert!(
        error(annotation).contains("metadata.labels"),
        "{}",
        error(annotation)
    );
}

proptest! {
    /// Whatever a file holds, reading it ends with objects or an error.
    #[test]
    fn no_text_is_too_strange(text in ".{0,200}") {
        let _ = manifest(&text);
    }

    /// A good manifest, with a part of it replaced.
    #[test]
    fn no_damage_is_too_strange(at in 0..SERVICE.len(), length in 0..20usize, new in "[ -~\n]{0,10}") {
        let end = (at + length).min(SERVICE.len());
        let damaged = format!("{}{new}{}", &SERVICE[..at], &SERVICE[end..]);
        let _ = manifest(&damaged);
    }
}

#[test]
fn an_error_in_a_list_names_the_item() {
    let list = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {SERVICE}\n- apiVersion: v1\n  kind: Service\n  metadata: {{name: web}}\n  spec: {{}}\n"
    );
    let error = error(&list);
    assert!(
        error.contains("(Service web), line 8: items[1].spec.ports: "),
        "{error}"
    );
}

#[test]
fn bad_annotations_are_reported_and_left_out() {
    let text = "{apiVersion: v1, kind: Service, metadata: {name: web, annotations: {balancer.mesh.dev/policy: magic, config.mesh.dev/opaque-ports: '80,x', retry.linkerd.io/http: always}}, spec: {ports: [{port: 80}]}}";
    let manifest = manifest(text).unwrap();
    let Object::Service(service) = &manifest.objects[0] else {
        panic!("{:?}", manifest.objects)
    };
    assert_eq!(service.balancing, crate::model::balancing::Choice::PeakEwma);
    assert!(
        service
            .opaque_ports
            .as_ref()
            .is_some_and(|ports| ports.contains(80))
    );
    assert_eq!(manifest.warnings.len(), 3, "{:?}", manifest.warnings);
    assert!(
        manifest
            .warnings
            .iter()
            .all(|warning| warning.starts_with("Service web: metadata.annotations["))
    );
}
