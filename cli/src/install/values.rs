//! What the control plane is made from.

use mesh_controller::injector::Annotations;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `values.yaml`, of `mesh install --values` and of the Helm chart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Values {
    pub(crate) namespace: String,
    pub(crate) registry: String,
    /// Empty for the version of whoever renders, so that an upgrade goes on to its own.
    pub(crate) tag: String,
    pub(crate) image_pull_policy: String,
    pub(crate) high_availability: bool,
    /// Of each Deployment; else 1, or 3 with high availability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replicas: Option<u32>,
    pub(crate) trust_domain: String,
    pub(crate) cluster_domain: String,
    pub(crate) cluster_networks: String,
    #[serde(rename = "disableIPv6")]
    pub(crate) disable_ipv6: bool,
    pub(crate) default_inbound_policy: String,
    pub(crate) opaque_ports: String,
    pub(crate) log_level: String,
    pub(crate) identity: Identity,
    pub(crate) destination: Destination,
    pub(crate) injector: Injector,
    /// Settings of proxies, by the names of their annotations.
    pub(crate) proxy_defaults: Annotations,
}

/// Of the identity service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Identity {
    /// PEM; kept in a ConfigMap of its own.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) trust_anchors: String,
    pub(crate) issuer: Issuer,
    pub(crate) issuance_lifetime_seconds: u64,
    pub(crate) clock_skew_allowance_seconds: u64,
    pub(crate) resources: Value,
}

/// What signs workloads' certificates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Issuer {
    /// Somebody else makes the Secret.
    pub(crate) external: bool,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) certificate: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) key: String,
}

/// Of the controller that proxies ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Destination {
    pub(crate) resources: Value,
}

/// Of the webhook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Injector {
    pub(crate) failure_policy: String,
    pub(crate) resources: Value,
}

impl Default for Values {
    fn default() -> Self {
        let controller = mesh_controller::Config::new("");
        let networks = controller.cluster_networks.iter().map(ToString::to_string);
        Self {
            namespace: controller.identity_namespace,
            // Where `make images` puts them: there is no public registry yet.
            registry: "localhost".to_owned(),
            tag: String::new(),
            image_pull_policy: "IfNotPresent".to_owned(),
            high_availability: false,
            replicas: None,
            trust_domain: controller.trust_domain,
            cluster_domain: controller.cluster_domain,
            cluster_networks: networks.collect::<Vec<_>>().join(","),
            disable_ipv6: false,
            default_inbound_policy: "all-unauthenticated".to_owned(),
            opaque_ports: controller.opaque_ports.to_string(),
            log_level: "info".to_owned(),
            identity: Identity {
                trust_anchors: String::new(),
                issuer: Issuer::default(),
                issuance_lifetime_seconds: 86_400,
                clock_skew_allowance_seconds: 20,
                resources: resources("50m", "16Mi", "128Mi"),
            },
            destination: Destination {
                resources: resources("100m", "64Mi", "512Mi"),
            },
            injector: Injector {
                failure_policy: "Ignore".to_owned(),
                resources: resources("50m", "32Mi", "256Mi"),
            },
            proxy_defaults: Annotations::new(),
        }
    }
}

fn resources(cpu: &str, memory: &str, most: &str) -> Value {
    json!({"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": most}})
}

/// A file of values that says something wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {field}{why}")]
pub(crate) struct BadValues {
    pub(crate) file: String,
    /// Its path and a colon, where there is one.
    field: String,
    why: String,
}

impl Values {
    /// These with what a file says put over them, as Helm does: maps are merged, `null` takes away.
    ///
    /// # Errors
    /// When the file is no YAML, or has a field that is none of ours or of another type.
    pub(crate) fn overlaid(&self, file: &str, text: &str) -> Result<Self, BadValues> {
        let bad = |field: String, why: String| BadValues {
            file: file.to_owned(),
            field,
            why,
        };
        let over: Value = mesh_controller::manifests::read(text).map_err(|e| {
            bad(
                String::new(),
                format!("no valid YAML: {}", e.without_snippet()),
            )
        })?;
        let mut values = serde_json::to_value(self).expect("values are JSON");
        match over {
            Value::Null => {}
            Value::Object(_) => merge(
                &mut values,
                over,
                &serde_json::to_value(Self::default()).expect("values are JSON"),
            ),
            _ => return Err(bad(String::new(), "a map of values is expected".to_owned())),
        }
        serde_path_to_error::deserialize(values).map_err(|error| {
            let field = match error.path().to_string() {
                path if path == "." => String::new(),
                path => format!("{path}: "),
            };
            bad(field, error.inner().to_string())
        })
    }

    /// The text for the cluster to keep: without certificates, which are kept elsewhere, and without the issuer's key.
    pub(crate) fn stored(&self) -> String {
        let mut values = self.clone();
        values.identity.trust_anchors.clear();
        values.identity.issuer.certificate.clear();
        values.identity.issuer.key.clear();
        crate::manifest::document(&serde_json::to_value(values).expect("values are JSON"))
    }

    /// Of each Deployment.
    pub(crate) fn replicas(&self) -> u32 {
        self.replicas.unwrap_or(match self.high_availability {
            true => 3,
            false => 1,
        })
    }

    /// What the proxies' settings are where no annotation says otherwise. The controller has its own copy of two of them.
    pub(crate) fn all_proxy_defaults(&self, version: &str) -> Annotations {
        let tag = match self.tag.as_str() {
            "" => version,
            tag => tag,
        };
        let of_install = [
            ("proxy-image", format!("{}/mesh-proxy", self.registry)),
            ("proxy-version", tag.to_owned()),
            ("image-pull-policy", self.image_pull_policy.clone()),
            ("opaque-ports", self.opaque_ports.clone()),
            (
                "default-inbound-policy",
                self.default_inbound_policy.clone(),
            ),
        ];
        let mut all: Annotations = of_install
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        all.extend(self.proxy_defaults.clone());
        all
    }
}

/// Where `over` says `null`, the default is back.
fn merge(values: &mut Value, over: Value, defaults: &Value) {
    match (values, over) {
        (Value::Object(values), Value::Object(over)) => {
            for (name, over) in over {
                let default = defaults.get(&name).unwrap_or(&Value::Null);
                match over {
                    Value::Null if default.is_null() => drop(values.remove(&name)),
                    Value::Null => drop(values.insert(name, default.clone())),
                    over => merge(values.entry(name).or_insert(Value::Null), over, default),
                }
            }
        }
        (values, over) => *values = over,
    }
}
