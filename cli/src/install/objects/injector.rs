//! The webhook that gives pods their proxies, and keeps the trust bundle in every meshed namespace.

use super::{
    Component, Install, config,
    deployment::{Mount, Service},
    destination,
    rbac::Rule,
};
use crate::install::CONFIG;
use serde_json::{Map, Value, json};

/// The Service, and the webhook configuration.
const NAME: &str = "mesh-injector";

pub(super) fn component(install: &Install<'_>) -> Component {
    let mut args = vec![
        "--source=kubernetes".to_owned(),
        "--serve=injector".to_owned(),
        "--injector-addr=0.0.0.0:8443".to_owned(),
        "--admin-addr=0.0.0.0:9990".to_owned(),
        format!("--proxy-defaults=/config/{}", config::PROXY_DEFAULTS),
        "--trust-anchors=/anchors/ca-bundle.crt".to_owned(),
    ];
    args.extend(destination::of_controllers(install));
    let checksum = config::checksum(install);
    Component {
        name: "injector",
        program: "mesh-controller",
        args,
        ports: &[("webhook", 8443)],
        services: &[Service {
            name: NAME,
            headless: false,
            port: 443,
            target: "webhook",
        }],
        mounts: vec![Mount::anchors(), proxy_defaults()],
        annotations: Map::from_iter([("mesh.dev/config-checksum".to_owned(), checksum.into())]),
        resources: install.values.injector.resources.clone(),
        rules: RULES,
    }
}

const RULES: &[Rule] = &[
    // Annotations of namespaces; `controller/src/source/kubernetes.rs`.
    Rule {
        group: "",
        resources: &["namespaces"],
        names: &[],
        verbs: &["list", "watch"],
    },
    // `controller/src/trust_bundle.rs`; a server-side apply is asked for both create and patch.
    Rule {
        group: "",
        resources: &["configmaps"],
        names: &["mesh-trust-bundle"],
        verbs: &["list", "watch", "create", "patch"],
    },
    // What became of a pod, told on the pod.
    Rule {
        group: "",
        resources: &["events"],
        names: &[],
        verbs: &["create"],
    },
    // The root of the webhook's own certificate, for the API server.
    Rule {
        group: "admissionregistration.k8s.io",
        resources: &["mutatingwebhookconfigurations"],
        names: &[NAME],
        verbs: &["get", "patch"],
    },
];

fn proxy_defaults() -> Mount {
    let item = json!({"key": config::PROXY_DEFAULTS, "path": config::PROXY_DEFAULTS});
    Mount {
        name: "config",
        path: "/config",
        volume: ("configMap", json!({"name": CONFIG, "items": [item]})),
    }
}

/// Pods of kube-system must start without us. The control plane is left out twice, by its namespace's label and by its pods': whatever
/// the failure policy, it never waits for itself.
pub(super) fn webhook(install: &Install<'_>) -> Value {
    let out =
        |key: &str, values: &[&str]| json!({"key": key, "operator": "NotIn", "values": values});
    let without = |key: &str| json!({"key": key, "operator": "DoesNotExist"});
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": install.cluster_meta(NAME),
        "webhooks": [{
            "name": "injector.mesh.dev",
            "admissionReviewVersions": ["v1"],
            // The injector writes `caBundle`.
            "clientConfig": {"service": {
                "name": NAME,
                "namespace": install.namespace(),
                "path": "/inject",
                "port": 443,
            }},
            "failurePolicy": install.values.injector.failure_policy,
            "namespaceSelector": {"matchExpressions": [
                out("config.mesh.dev/admission-webhooks", &["disabled"]),
                out("kubernetes.io/metadata.name", &["kube-system", "cert-manager"]),
            ]},
            "objectSelector": {"matchExpressions": [
                without("mesh.dev/control-plane-component"),
                without("mesh.dev/cni-resource"),
            ]},
            "rules": [{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }],
            // Events, which a dry run does not get.
            "sideEffects": "NoneOnDryRun",
            "timeoutSeconds": 10,
        }],
    })
}
