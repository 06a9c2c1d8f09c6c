//! The namespace, and what is configured in it: values, trust anchors, issuer.

use super::Install;
use crate::install::{CONFIG, Credentials, ISSUER, VALUES};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use mesh_controller::injector::{TRUST_BUNDLE, TRUST_BUNDLE_KEY};
use serde_json::{Value, json};

/// The key of [`CONFIG`] that the injector reads.
pub(super) const PROXY_DEFAULTS: &str = "proxy-defaults.yaml";

/// The control plane's namespace. Nothing in it is injected: the control plane speaks mutual TLS by itself.
pub(super) fn namespace(install: &Install<'_>) -> Value {
    let mut labels = install.labels();
    for (name, value) in [
        ("mesh.dev/is-control-plane", "true"),
        ("config.mesh.dev/admission-webhooks", "disabled"),
        ("pod-security.kubernetes.io/enforce", "restricted"),
    ] {
        labels.insert(name.to_owned(), value.into());
    }
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": install.namespace(), "labels": labels},
    })
}

pub(super) fn objects(install: &Install<'_>, credentials: &Credentials) -> Vec<Value> {
    let mut objects = vec![
        map(
            install,
            CONFIG,
            &json!({
                VALUES: install.values.stored(),
                PROXY_DEFAULTS: proxy_defaults(install),
            }),
        ),
        map(
            install,
            TRUST_BUNDLE,
            &json!({TRUST_BUNDLE_KEY: credentials.trust_anchors}),
        ),
    ];
    if let Some(issuer) = &credentials.issuer {
        // As cert-manager lays it out.
        objects.push(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": install.meta(ISSUER),
            "type": "kubernetes.io/tls",
            "data": {
                "ca.crt": BASE64.encode(&credentials.trust_anchors),
                "tls.crt": BASE64.encode(&issuer.certificate),
                "tls.key": BASE64.encode(&issuer.key),
            },
        }));
    }
    objects
}

fn map(install: &Install<'_>, name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": install.meta(name), "data": data})
}

/// Every value quoted, so that the Helm chart can write the same bytes, and the same [`checksum`].
fn proxy_defaults(install: &Install<'_>) -> String {
    let defaults = install.values.all_proxy_defaults(install.version);
    let line =
        |(name, value): (&String, &String)| format!("{name}: {}\n", Value::from(value.as_str()));
    defaults.iter().map(line).collect()
}

/// Of what the injector reads at its start: another one is another template, so that the Deployment rolls.
pub(super) fn checksum(install: &Install<'_>) -> String {
    let digest = digest::digest(&digest::SHA256, proxy_defaults(install).as_bytes());
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
