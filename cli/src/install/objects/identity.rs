//! The identity service, which alone can read the issuer's key.

use super::{
    Component, Install,
    deployment::{Mount, Service},
    rbac::Rule,
};
use crate::install::ISSUER;
use serde_json::{Map, json};

pub(super) fn component(install: &Install<'_>) -> Component {
    let values = install.values;
    Component {
        name: "identity",
        program: "mesh-identity",
        args: vec![
            "--tokens=kubernetes".to_owned(),
            "--dir=/issuer".to_owned(),
            "--trust-anchors=/anchors/ca-bundle.crt".to_owned(),
            format!("--namespace={}", values.namespace),
            format!("--trust-domain={}", values.trust_domain),
            format!(
                "--lifetime-seconds={}",
                values.identity.issuance_lifetime_seconds
            ),
            format!(
                "--clock-skew-seconds={}",
                values.identity.clock_skew_allowance_seconds
            ),
            "--admin=0.0.0.0:9990".to_owned(),
            format!("--log={}", values.log_level),
        ],
        ports: &[("grpc", 8080)],
        services: &[Service {
            name: "mesh-identity-headless",
            headless: true,
            port: 8080,
            target: "grpc",
        }],
        mounts: vec![Mount::anchors(), issuer()],
        annotations: Map::new(),
        resources: values.identity.resources.clone(),
        // Tokens are of any namespace.
        rules: &[Rule {
            group: "authentication.k8s.io",
            resources: &["tokenreviews"],
            names: &[],
            verbs: &["create"],
        }],
    }
}

/// Readable by owner and group only, which is 0440; followed.
fn issuer() -> Mount {
    Mount {
        name: "issuer",
        path: "/issuer",
        volume: (
            "secret",
            json!({"secretName": ISSUER, "defaultMode": 0o440}),
        ),
    }
}
