//! What is wrong with the annotations of objects that are there already.
//!
//! A pod is judged when it is created. Later its annotations can still be changed, and the next
//! pod of a wrong template is refused; a namespace's wrong value is left out with a warning
//! that only the author of some pod may see. `mesh check` asks here, and
//! gets what the injector itself would say.

use super::{
    Annotations, INJECT, Namespace, annotations::Reader, opaque_ports, same_ports,
    settings::Settings, target::Target,
};
use serde_json::Value;

/// What is wrong with a pod's own annotations, as sentences.
#[must_use]
pub fn pod(object: &Value) -> Vec<String> {
    let target = match Target::read(object) {
        Ok(target) => target,
        Err(error) => return vec![error.to_string()],
    };
    let none = Annotations::new();
    let mut reader = Reader::new(&target.annotations, &none, &none);
    let settings = Settings::read(&mut reader);
    opaque_ports(&target, &settings, &mut reader);
    reader.errors.extend(same_ports(&target, &settings));
    let bad = reader.errors.iter().map(ToString::to_string);
    let all = bad.chain(reader.unknown());
    all.chain(bad_mode(&target.annotations)).collect()
}

/// What is wrong with a namespace's annotations, as sentences.
#[must_use]
pub fn namespace(namespace: &Namespace) -> Vec<String> {
    let none = Annotations::new();
    let mut reader = Reader::new(&none, &namespace.annotations, &none);
    Settings::read(&mut reader);
    let bad = reader.left_out.iter().map(ToString::to_string);
    let mut names = Reader::new(&namespace.annotations, &none, &none);
    names.rows.clone_from(&reader.rows);
    let all = bad.chain(names.unknown());
    all.chain(bad_mode(&namespace.annotations)).collect()
}

/// A wish for a proxy that can't be understood.
fn bad_mode(annotations: &Annotations) -> Option<String> {
    let value = annotations.get(INJECT)?.trim();
    let known = matches!(value, "enabled" | "ingress" | "disabled");
    (!known)
        .then(|| format!("annotation {INJECT}: {value:?}: expected enabled, disabled or ingress"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn annotations(all: &[(&str, &str)]) -> Annotations {
        let owned = all
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    #[test]
    fn a_pod_is_told_what_the_injector_would_refuse() {
        let annotated = |annotations: Value| {
            let metadata = json!({ "annotations": annotations });
            pod(&json!({"metadata": metadata, "spec": {"containers": [{"name": "mesh-proxy"}]}}))
        };
        assert_eq!(
            annotated(json!({"config.mesh.dev/proxy-uid": "2102", "other": "x"})),
            [""; 0]
        );
        for (name, value, told) in [
            (
                "config.mesh.dev/proxy-cpu-limit",
                "lots",
                "Kubernetes quantity",
            ),
            (
                "config.mesh.dev/opaque-ports",
                "db",
                "names that a container's TCP port has",
            ),
            (
                "config.mesh.dev/inbound-port",
                "4191",
                "four different ports",
            ),
            ("config.mesh.dev/skip-ports", "1", "there is no annotation"),
            ("mesh.dev/inject", "yes", "enabled, disabled or ingress"),
        ] {
            let mistakes = annotated(json!({ name: value }));
            assert!(
                mistakes.len() == 1 && mistakes[0].contains(told),
                "{mistakes:?}"
            );
        }
    }

    #[test]
    fn a_namespace_is_told_what_is_left_out() {
        let mistakes = namespace(&Namespace {
            name: None,
            annotations: annotations(&[
                ("config.mesh.dev/proxy-log-level", "loud"),
                ("config.mesh.dev/proxy-cpu", "1"),
                ("mesh.dev/inject", "true"),
            ]),
        });
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert!(
            mistakes[0].starts_with("namespace annotation"),
            "{mistakes:?}"
        );
    }

    #[test]
    fn what_is_no_pod_is_said_to_be_none() {
        assert!(pod(&json!({"kind": "Service"}))[0].contains("spec.containers"));
    }
}
