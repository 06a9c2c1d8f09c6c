use super::*;
use serde_json::json;

fn question(kind: &str, object: &Value) -> Vec<u8> {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "7", "kind": {"group": "", "version": "v1", "kind": kind},
            "namespace": "shop", "operation": "CREATE", "object": object,
        },
    });
    serde_json::to_vec(&review).unwrap()
}

fn ask(kind: &str, object: &Value) -> (Value, Outcome) {
    let request = read(&question(kind, object)).unwrap();
    let enabled = |_: &str| {
        Some(Annotations::from([(
            "mesh.dev/inject".into(),
            "enabled".into(),
        )]))
    };
    let (answer, outcome) = answer(request, enabled, &Config::default()).unwrap();
    (serde_json::to_value(answer).unwrap(), outcome)
}

#[test]
fn a_pod_gets_a_patch() {
    let pod =
        json!({"metadata": {"generateName": "web-"}, "spec": {"containers": [{"name": "web"}]}});
    let (answer, outcome) = ask("Pod", &pod);
    let response = &answer["response"];
    assert_eq!(response["uid"], "7");
    assert_eq!(response["allowed"], true);
    assert_eq!(response["patchType"], "JSONPatch");
    assert_eq!(response["auditAnnotations"]["decision"], "injected");
    let patch = STANDARD
        .decode(response["patch"].as_str().unwrap())
        .unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    assert!(
        patch
            .as_array()
            .unwrap()
            .iter()
            .all(|each| each["op"] == "add")
    );
    assert_eq!(
        (outcome.name.as_str(), outcome.label()),
        ("web-", "injected")
    );
}

#[test]
fn a_wrong_annotation_refuses_the_pod() {
    let annotations = json!({"config.mesh.dev/proxy-cpu-limit": "lots"});
    let pod = json!({"metadata": {"annotations": annotations}, "spec": {"containers": []}});
    let (answer, outcome) = ask("Pod", &pod);
    let response = &answer["response"];
    assert_eq!(
        (&response["allowed"], &response["status"]["code"]),
        (&json!(false), &json!(422))
    );
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("mesh: pod annotation config.mesh.dev/proxy-cpu-limit: \"lots\": expected a Kubernetes quantity"),
        "{message}"
    );
    assert_eq!(outcome.label(), "refused");
}

/// What can't be read is let through, and said.
#[test]
fn a_pod_of_an_unknown_shape_is_left_alone() {
    for (object, field) in [
        (json!(null), "spec.containers"),
        (json!([]), "spec.containers"),
        (
            json!({"spec": {"containers": [{"name": 5}]}}),
            "spec.containers[0].name",
        ),
        (
            json!({"metadata": [1], "spec": {"containers": []}}),
            "metadata",
        ),
    ] {
        let (answer, outcome) = ask("Pod", &object);
        assert_eq!(answer["response"]["allowed"], true);
        let warning = answer["response"]["warnings"][0].as_str().unwrap();
        assert!(warning.contains(field), "{warning}");
        assert_eq!(outcome.label(), "unsupported_resource");
    }
}

#[test]
fn other_kinds_and_fields_that_nobody_knows_are_no_trouble() {
    let (answer, _) = ask("Service", &json!({"spec": {"ports": []}}));
    assert_eq!(answer["response"]["allowed"], true);
    assert!(answer["response"].get("patch").is_none());
    let pod = json!({"spec": {"containers": [{"name": "a", "newInV9": {}}], "newer": 1}});
    assert_eq!(ask("Pod", &pod).1.label(), "injected");
}

#[test]
fn what_is_no_question_is_named() {
    for (body, told) in [
        (&b"{"[..], "no AdmissionReview: EOF"),
        (
            br#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#,
            "v1beta1",
        ),
        (
            br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
            "without a request",
        ),
    ] {
        let error = read(body).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn a_namespace_that_is_not_known_is_no_reason_to_guess() {
    let request = read(&question("Pod", &json!({"spec": {"containers": []}}))).unwrap();
    let error = answer(request, |_| None, &Config::default()).unwrap_err();
    assert_eq!(error, Unanswerable::UnknownNamespace("shop".to_owned()));
}
