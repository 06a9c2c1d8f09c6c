//! From a decision to what `kubectl describe` shows.

use super::*;
use crate::injector::{Config, review};
use serde_json::{Value, json};

fn outcome(metadata: &Value, spec: &Value) -> Outcome {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {"uid": "1", "namespace": "shop", "kind": {"kind": "Pod"},
            "object": {"metadata": metadata, "spec": spec}},
    });
    let request = review::read(review.to_string().as_bytes()).unwrap();
    let enabled = |_: &str| {
        Some(Annotations::from([(
            "mesh.dev/inject".into(),
            "enabled".into(),
        )]))
    };
    review::answer(request, enabled, &Config::default())
        .unwrap()
        .1
}

fn told(outcome: &Outcome) -> Vec<(Severity, &'static str, String)> {
    let notes = notes(outcome).into_iter();
    notes
        .map(|note| (note.severity, note.reason, note.text))
        .collect()
}

fn spec() -> Value {
    json!({"containers": [{"name": "web"}]})
}

#[test]
fn it_is_about_the_owner_with_its_uid() {
    let owned = json!({"generateName": "web-7d9-", "ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u0"},
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9", "uid": "u1", "controller": true},
    ]});
    let about = outcome(&owned, &spec()).about;
    assert_eq!(about.kind.as_deref(), Some("ReplicaSet"));
    assert_eq!(about.api_version.as_deref(), Some("apps/v1"));
    assert_eq!(about.name.as_deref(), Some("web-7d9"));
    assert_eq!(about.namespace.as_deref(), Some("shop"));
    assert_eq!(about.uid.as_deref(), Some("u1"));

    let about = outcome(&json!({"name": "alone"}), &spec()).about;
    assert_eq!(about.kind.as_deref(), Some("Pod"));
    assert_eq!(about.name.as_deref(), Some("alone"));
    assert_eq!(about.uid, None);
}

#[test]
fn each_decision_has_its_word() {
    let injected = outcome(&json!({"name": "a"}), &spec());
    let expected = (
        Severity::Normal,
        "Injected",
        "A proxy was injected".to_owned(),
    );
    assert_eq!(told(&injected), [expected]);

    let disabled = json!({"name": "a", "annotations": {"mesh.dev/inject": "disabled"}});
    let [(Severity::Normal, "InjectionSkipped", text)] = &told(&outcome(&disabled, &spec()))[..]
    else {
        panic!("a skip that was asked for is no warning");
    };
    assert!(
        text.ends_with("(injection_disable_annotation_present)"),
        "{text}"
    );

    let host = json!({"hostNetwork": true, "containers": [{"name": "web"}]});
    let skipped = told(&outcome(&json!({"name": "a"}), &host));
    assert_eq!(skipped[0].0, Severity::Warning, "{skipped:?}");

    let wrong = json!({"name": "a", "annotations": {"config.mesh.dev/proxy-uid": "root"}});
    let [(Severity::Warning, "InjectionRefused", text)] = &told(&outcome(&wrong, &spec()))[..]
    else {
        panic!("a refusal is one warning");
    };
    assert!(text.contains("config.mesh.dev/proxy-uid"), "{text}");

    let odd = json!({"name": "a", "annotations": {"config.mesh.dev/proxy-uidd": "1"}});
    let odd = told(&outcome(&odd, &spec()));
    assert_eq!(odd[0].1, "Injected");
    assert_eq!(odd[1].1, "InjectedWithWarning");
    assert!(odd[1].2.contains("proxy-uidd"), "{odd:?}");
}
