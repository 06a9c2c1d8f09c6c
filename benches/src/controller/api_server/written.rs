//! What the injector writes: its roots into the webhook configuration, and events.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// Where the webhook configuration is.
const CONFIGURATION: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/mesh-injector";

/// The webhook configuration as it was patched last.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<Value>);

impl Written {
    /// The object at a path, if it is the one that there is.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        (path == CONFIGURATION).then(|| self.configuration().to_string())
    }

    /// What a patch or a new object comes to; all but the webhook configuration is forgotten.
    pub(super) fn write(&self, path: &str, body: Value) -> String {
        if path != CONFIGURATION {
            return body.to_string();
        }
        *self.0.lock() = body;
        self.configuration().to_string()
    }

    /// The roots to trust the webhook by (PEM).
    pub(super) fn roots(&self) -> Option<Vec<u8>> {
        let patch = self.0.lock();
        let bundle = patch.pointer("/webhooks/0/clientConfig/caBundle")?;
        STANDARD.decode(bundle.as_str()?).ok()
    }

    fn configuration(&self) -> Value {
        let patch = self.0.lock();
        let bundle = &patch["webhooks"][0]["clientConfig"]["caBundle"];
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "mesh-injector", "resourceVersion": "1", "annotations": patch["metadata"]["annotations"]},
            "webhooks": [{"name": "injector.mesh.dev", "admissionReviewVersions": ["v1"], "sideEffects": "NoneOnDryRun",
                "clientConfig": {"caBundle": bundle, "service": {"name": "mesh-injector", "namespace": "mesh"}}}],
        })
    }
}
