//! The controller that proxies ask for endpoints and policies.

use super::{
    Component, Install,
    deployment::{Mount, Service},
    rbac::Rule,
};
use serde_json::{Map, json};

pub(super) fn component(install: &Install<'_>) -> Component {
    let values = install.values;
    let mut args = vec![
        "--source=kubernetes".to_owned(),
        "--serve=destination".to_owned(),
        "--destination-addr=0.0.0.0:8086".to_owned(),
        "--policy-addr=0.0.0.0:8090".to_owned(),
        "--admin-addr=0.0.0.0:9990".to_owned(),
        format!(
            "--identity-addr=mesh-identity-headless.{}.svc.{}.:8080",
            values.namespace, values.cluster_domain
        ),
        "--identity-token=/token/mesh-identity-token".to_owned(),
        "--trust-anchors=/anchors/ca-bundle.crt".to_owned(),
        "--service-account=mesh-destination".to_owned(),
        format!("--default-inbound-policy={}", values.default_inbound_policy),
        format!("--opaque-ports={}", values.opaque_ports),
    ];
    args.extend(of_controllers(install));
    Component {
        name: "destination",
        program: "mesh-controller",
        args,
        ports: &[("destination", 8086), ("policy", 8090)],
        services: &[
            Service {
                name: "mesh-dst-headless",
                headless: true,
                port: 8086,
                target: "destination",
            },
            Service {
                name: "mesh-policy",
                headless: true,
                port: 8090,
                target: "policy",
            },
        ],
        mounts: vec![Mount::anchors(), token()],
        annotations: Map::new(),
        resources: values.destination.resources.clone(),
        // What `controller/src/source/kubernetes.rs` watches.
        rules: &[
            Rule {
                group: "",
                resources: &["namespaces", "nodes", "pods", "services"],
                names: &[],
                verbs: &["list", "watch"],
            },
            Rule {
                group: "discovery.k8s.io",
                resources: &["endpointslices"],
                names: &[],
                verbs: &["list", "watch"],
            },
        ],
    }
}

/// What destination and injector are both told.
pub(super) fn of_controllers(install: &Install<'_>) -> Vec<String> {
    let values = install.values;
    let mut args = vec![
        format!("--identity-namespace={}", values.namespace),
        format!("--trust-domain={}", values.trust_domain),
        format!("--cluster-domain={}", values.cluster_domain),
        format!("--cluster-networks={}", values.cluster_networks),
    ];
    if values.disable_ipv6 {
        args.push("--disable-ipv6".to_owned());
    }
    args.push(format!("--log={}", values.log_level));
    args
}

/// Proves to the identity service who we are; good for nothing else.
fn token() -> Mount {
    let source = json!({"serviceAccountToken": {
        "path": "mesh-identity-token",
        "audience": mesh_identity::token::AUDIENCE,
        "expirationSeconds": 86_400,
    }});
    Mount {
        name: "token",
        path: "/token",
        volume: ("projected", json!({"sources": [source]})),
    }
}
