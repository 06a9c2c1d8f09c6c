//! Who may do what: as little as the programs really ask for.

use super::Install;
use serde_json::{Value, json};

/// One line of a role.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) group: &'static str,
    pub(super) resources: &'static [&'static str],
    /// The only objects meant, unless empty.
    pub(super) names: &'static [&'static str],
    pub(super) verbs: &'static [&'static str],
}

impl Rule {
    fn json(&self) -> Value {
        let mut rule =
            json!({"apiGroups": [self.group], "resources": self.resources, "verbs": self.verbs});
        if !self.names.is_empty() {
            rule["resourceNames"] = json!(self.names);
        }
        rule
    }
}

/// Role and binding for the whole cluster, `mesh-NAMESPACE-COMPONENT`.
pub(super) fn cluster(install: &Install<'_>, component: &str, rules: &[Rule]) -> [Value; 2] {
    let name = format!("mesh-{}-{component}", install.namespace());
    let rules: Vec<_> = rules.iter().map(Rule::json).collect();
    [
        json!({
            "apiVersion": API,
            "kind": "ClusterRole",
            "metadata": install.cluster_meta(&name),
            "rules": rules,
        }),
        json!({
            "apiVersion": API,
            "kind": "ClusterRoleBinding",
            "metadata": install.cluster_meta(&name),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [subject(install, component)],
        }),
    ]
}

const API: &str = "rbac.authorization.k8s.io/v1";

fn subject(install: &Install<'_>, component: &str) -> Value {
    json!({
        "kind": "ServiceAccount",
        "name": format!("mesh-{component}"),
        "namespace": install.namespace(),
    })
}
