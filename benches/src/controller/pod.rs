//! A pod as it is in a cluster: what an author writes, our proxy beside it, and all that Kubernetes adds.
//!
//! About 10 kB, most of which the controller has no use for; that it does not keep it is part of what is measured.

use mesh_controller::injector::{Annotations, Config, Decision, INJECT, Namespace, patch};
use serde_json::{Value, json};

use super::template::Template;

/// The pod template's hash, of every pod.
pub const HASH: &str = "6d4b75cb6d";
/// What one of the recorded pods was before Linkerd's injector got it.
const RECORDED: &str =
    include_str!("../../../controller/tests/vectors/inject/two-ports-and-probes.json");

/// The pod of the recording that has ports and probes, as the API server asks about it.
#[must_use]
pub fn recorded() -> Value {
    let mut vector: Value = serde_json::from_str(RECORDED).expect("the recording is JSON");
    vector["object"].take()
}

/// What the injector knows of a pod's namespace.
#[must_use]
pub fn annotations() -> Annotations {
    Annotations::from([(INJECT.to_owned(), "enabled".to_owned())])
}

/// A pod with a proxy; holes are app, ip, name, namespace, node, uid and version.
#[must_use]
pub fn template() -> Template {
    let mut pod = recorded();
    pod["metadata"] = json!({
        "name": "@name@", "namespace": "@namespace@", "uid": "@uid@", "resourceVersion": "@version@",
        "generateName": format!("@app@-{HASH}-"), "creationTimestamp": "2026-11-21T12:00:00Z",
        "labels": {"app": "@app@", "app.kubernetes.io/version": "1.4.2", "pod-template-hash": HASH},
        "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9091"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
            "blockOwnerDeletion": true, "name": format!("@app@-{HASH}"), "uid": "d0f1e2d3-0000-4000-8000-000000000000"}],
    });
    pod["spec"]["serviceAccountName"] = json!("@app@");
    pod["spec"]["nodeName"] = json!("@node@");
    let namespace = Namespace {
        name: Some("@namespace@".to_owned()),
        annotations: annotations(),
    };
    match patch(&pod, None, &namespace, &Config::default()) {
        Decision::Inject { patch, .. } => patch.apply(&mut pod),
        other => panic!("the recorded pod is no longer injected: {other:?}"),
    }
    .expect("the patch is for this pod");
    pod["metadata"]["managedFields"] = managed_fields();
    pod["status"] = status(&pod);
    Template::new(&pod.to_string())
}

fn status(pod: &Value) -> Value {
    let time = "2026-11-21T12:00:05Z";
    let kinds = [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ];
    let conditions = kinds.map(|kind| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": time}));
    let statuses = |containers: &Value| -> Vec<Value> {
        let containers = containers.as_array().into_iter().flatten();
        let id = "sha256:3f57d9401f8d42f986df300f0c69192fc41da28ccc8d797829467780db3dd741";
        let each = containers.map(|container| {
            json!({"name": container["name"], "image": container["image"], "imageID": format!("docker.io/library/{id}"),
                "containerID": format!("containerd://{id}"), "lastState": {}, "ready": true, "restartCount": 0,
                "started": true, "state": {"running": {"startedAt": time}}})
        });
        each.collect()
    };
    json!({"phase": "Running", "qosClass": "Burstable", "startTime": time, "hostIP": "192.168.1.10",
        "hostIPs": [{"ip": "192.168.1.10"}], "podIP": "@ip@", "podIPs": [{"ip": "@ip@"}], "conditions": conditions,
        "containerStatuses": statuses(&pod["spec"]["containers"]),
        "initContainerStatuses": statuses(&pod["spec"]["initContainers"])})
}

/// Who set which field: as long as the object in practice.
pub(super) fn managed_fields() -> Value {
    let names = [
        "image",
        "imagePullPolicy",
        "name",
        "ports",
        "readinessProbe",
        "livenessProbe",
        "resources",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "volumeMounts",
        "env",
        "securityContext",
    ];
    let fields: serde_json::Map<String, Value> = names
        .map(|name| (format!("f:{name}"), json!({".": {}})))
        .into_iter()
        .collect();
    let by = |manager: &str| {
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": "2026-11-21T12:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, "f:spec": fields}})
    };
    json!([by("kube-controller-manager"), by("kubelet")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_as_large_as_in_a_cluster_and_has_a_proxy() {
        let text = template().render(|name| match name {
            "ip" => "10.64.0.1".to_owned(),
            name => name.to_owned(),
        });
        assert!(
            (8_000..20_000).contains(&text.len()),
            "{} bytes",
            text.len()
        );
        let pod: Value = serde_json::from_str(&text).unwrap();
        let names = pod["spec"]["initContainers"].as_array().unwrap();
        assert!(
            names
                .iter()
                .any(|container| container["name"] == "mesh-proxy")
        );
        assert_eq!(
            pod["metadata"]["labels"]["mesh.dev/control-plane-ns"],
            "mesh"
        );
    }
}
