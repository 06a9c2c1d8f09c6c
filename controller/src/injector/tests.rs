use super::*;
use serde_json::json;

fn enabled() -> Namespace {
    Namespace {
        name: Some("shop".to_owned()),
        annotations: Annotations::from([(INJECT.to_owned(), "enabled".to_owned())]),
    }
}

fn injected_with(pod: &Value, owner: Option<Owner>, config: &Config) -> (Value, Vec<String>) {
    match patch(pod, owner, &enabled(), config) {
        Decision::Inject { patch, warnings } => {
            let mut pod = pod.clone();
            patch.apply(&mut pod).unwrap();
            (pod, warnings)
        }
        other => panic!("{other:?}"),
    }
}

fn injected(pod: &Value) -> (Value, Vec<String>) {
    injected_with(pod, None, &Config::default())
}

fn annotated(annotations: &Value) -> Value {
    json!({"metadata": {"annotations": annotations}, "spec": {"containers": [
        {"name": "web", "ports": [{"containerPort": 8080, "name": "http"}]},
    ]}})
}

fn variable<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let proxy = &pod["spec"]["initContainers"][1];
    let mut env = proxy["env"].as_array().unwrap().iter();
    env.find(|each| each["name"] == name)
        .map_or(&Value::Null, |each| &each["value"])
}

/// docs/injection.md has the rows that are read, in their order.
#[test]
fn the_annotations_are_documented() {
    let document = include_str!("../../../docs/injection.md");
    let row = |row: Row| {
        let Row {
            name,
            default,
            expected,
            meaning,
        } = row;
        let default = match default {
            "" => String::new(),
            env!("CARGO_PKG_VERSION") => "the mesh's own".to_owned(),
            default => format!("`{default}`"),
        };
        format!("| `{name}` | {default} | {expected} | {meaning} |\n")
    };
    let expected: String = rows().into_iter().map(row).collect();
    assert!(
        document.contains(&expected),
        "not there, or not in this order:\n{expected}"
    );
    for reason in Skip::LABELS {
        assert!(document.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn the_pod_says_no_to_its_namespace_and_yes_without_it() {
    let disabled = annotated(&json!({INJECT: "disabled"}));
    let decision = patch(&disabled, None, &enabled(), &Config::default());
    assert_eq!(decision, Decision::Skip(Skip::Disabled));
    let alone = annotated(&json!({INJECT: "enabled"}));
    let decision = patch(&alone, None, &Namespace::default(), &Config::default());
    assert!(matches!(decision, Decision::Inject { .. }));
    let decision = patch(
        &annotated(&json!({})),
        None,
        &Namespace::default(),
        &Config::default(),
    );
    assert_eq!(decision, Decision::Skip(Skip::NotAnnotated));
}

#[test]
fn a_wrong_annotation_of_the_namespace_is_no_reason_to_refuse() {
    let mut namespace = enabled();
    namespace.annotations.insert(
        "config.mesh.dev/proxy-cpu-limit".to_owned(),
        "lots".to_owned(),
    );
    let decision = patch(&annotated(&json!({})), None, &namespace, &Config::default());
    let Decision::Inject { warnings, .. } = decision else {
        panic!("{decision:?}")
    };
    assert!(warnings[0].ends_with("; it is left out"), "{warnings:?}");
}

#[test]
fn opaque_ports_come_from_the_namespace_and_may_be_names() {
    let mut namespace = enabled();
    namespace.annotations.insert(
        "config.mesh.dev/opaque-ports".to_owned(),
        "http,mysql,25".to_owned(),
    );
    let pod = annotated(&json!({}));
    let Decision::Inject { patch: ours, .. } = patch(&pod, None, &namespace, &Config::default())
    else {
        panic!("injected");
    };
    let mut injected = pod.clone();
    ours.apply(&mut injected).unwrap();
    let name = "MESH_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION";
    assert_eq!(variable(&injected, name), "25,8080");

    let own = annotated(&json!({"config.mesh.dev/opaque-ports": "mysql"}));
    let decision = patch(&own, None, &namespace, &Config::default());
    assert!(
        matches!(decision, Decision::Refuse(_)),
        "the pod has no port of that name: {decision:?}"
    );
}

#[test]
fn one_port_for_two_listeners_is_refused() {
    let pod = annotated(&json!({"config.mesh.dev/admin-port": "4143"}));
    let Decision::Refuse(errors) = patch(&pod, None, &enabled(), &Config::default()) else {
        panic!("refused");
    };
    assert_eq!(errors[0].level, Level::Pod);
    assert!(
        errors[0].to_string().contains("four different ports"),
        "{}",
        errors[0]
    );
}

#[test]
fn labels_are_such_that_the_api_server_takes_them() {
    let owner = |name: &str| Some(Owner::new("StatefulSet", name));
    let pod = annotated(&json!({}));
    let (named, _) = injected_with(&pod, owner("db"), &Config::default());
    assert_eq!(
        named["metadata"]["labels"]["mesh.dev/proxy-statefulset"],
        "db"
    );
    let (long, _) = injected_with(&pod, owner(&"x".repeat(64)), &Config::default());
    assert!(
        long["metadata"]["labels"]
            .get("mesh.dev/proxy-statefulset")
            .is_none()
    );
}

#[test]
fn a_replica_set_stands_for_its_deployment() {
    let pod = json!({
        "metadata": {
            "labels": {"pod-template-hash": "6d4b75cb6d"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4b75cb6d", "uid": "1", "controller": true}],
        },
        "spec": {"containers": []},
    });
    assert_eq!(
        injected(&pod).0["metadata"]["labels"]["mesh.dev/proxy-deployment"],
        "web"
    );
}

#[test]
fn oddities_are_told_of() {
    let pod = json!({"spec": {"containers": [{
        "name": "web",
        "securityContext": {"runAsUser": 2102},
        "ports": [{"containerPort": 4143}, {"containerPort": 53, "protocol": "UDP"}],
    }]}});
    let warnings = injected(&pod).1.join("\n");
    for told in [
        "udp_ports_enabled",
        "runs as user 2102",
        "port 4143 is a container's",
    ] {
        assert!(warnings.contains(told), "{warnings}");
    }
}

#[test]
fn ipv6_is_redirected_and_listened_on() {
    let (pod, _) = injected(&annotated(&json!({})));
    assert_eq!(
        variable(&pod, "MESH_PROXY_INBOUND_LISTEN_ADDR"),
        "[::]:4143"
    );
    assert_eq!(
        variable(&pod, "MESH_PROXY_OUTBOUND_LISTEN_ADDRS"),
        "127.0.0.1:4140,[::1]:4140"
    );
    let arguments = &pod["spec"]["initContainers"][0]["args"];
    assert!(!arguments.to_string().contains("ipv6"), "{arguments}");
}

#[test]
fn a_sysctl_needs_a_privileged_init_container() {
    let (pod, _) = injected(&annotated(
        &json!({"config.mesh.dev/close-wait-timeout": "1h"}),
    ));
    let init = &pod["spec"]["initContainers"][0];
    assert_eq!(init["securityContext"]["privileged"], true);
    assert!(
        init["args"]
            .to_string()
            .contains(r#""--timeout-close-wait-secs","3600""#),
        "{init}"
    );
}

/// The sidecar meets the restricted pod security standard.
#[test]
fn the_sidecar_may_do_nothing() {
    let (pod, _) = injected(&annotated(&json!({})));
    let context = &pod["spec"]["initContainers"][1]["securityContext"];
    assert_eq!(
        context,
        &json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "runAsUser": 2102,
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
}

#[test]
fn what_was_injected_can_be_taken_out() {
    let pod = annotated(&json!({"config.mesh.dev/proxy-log-level": "debug"}));
    let (injected, _) = injected(&pod);
    let paths = remove(&injected);
    let mut ours: Vec<_> = paths.iter().map(String::as_str).collect();
    ours.sort_unstable();
    assert_eq!(
        ours,
        [
            "/metadata/annotations/mesh.dev~1created-by",
            "/metadata/annotations/mesh.dev~1inject",
            "/metadata/annotations/mesh.dev~1proxy-version",
            "/metadata/labels/mesh.dev~1control-plane-ns",
            "/metadata/labels/mesh.dev~1workload-ns",
            "/spec/initContainers/0",
            "/spec/initContainers/1",
            "/spec/volumes/0",
            "/spec/volumes/1",
        ]
    );
    assert_eq!(remove(&pod), Vec::<String>::new());
}

#[test]
fn an_install_is_checked_before_the_first_pod() {
    let with = |name: &str, value: &str| Config {
        install: Annotations::from([(name.to_owned(), value.to_owned())]),
        ..Config::default()
    };
    assert_eq!(with("proxy-log-level", "debug").check(), Ok(()));
    assert_eq!(
        with("proxy-lag", "1").check(),
        Err(BadConfig::Name("proxy-lag".to_owned()))
    );
    let error = with("proxy-uid", "0").check().unwrap_err().to_string();
    assert!(
        error.starts_with("install annotation proxy-uid: \"0\": expected "),
        "{error}"
    );
}
