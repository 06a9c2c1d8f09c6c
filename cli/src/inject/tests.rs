use super::*;
use crate::golden::assert_golden;
use std::{collections::BTreeMap, path::Path};

const INPUTS: [&str; 3] = ["web.yaml", "list.yaml", "deployment.json"];

fn source(name: &str) -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/inject")
        .join(name);
    Source {
        name: name.to_owned(),
        text: std::fs::read_to_string(path).unwrap(),
    }
}

fn of(text: &str) -> Source {
    Source {
        name: "web.yaml".to_owned(),
        text: text.to_owned(),
    }
}

/// Without the version, which changes with each release.
fn injection(manual: bool) -> Injection {
    Injection {
        manual,
        mode: Mode::Enabled,
        annotations: Annotations::new(),
        namespace: None,
        config: Config {
            created_by: "mesh/cli test".to_owned(),
            install: Annotations::from([("proxy-version".to_owned(), "test".to_owned())]),
            ..Config::default()
        },
    }
}

fn action(manual: bool) -> Action {
    Action::Inject(Box::new(injection(manual)))
}

fn done(source: &Source, action: &Action) -> Output {
    file(source, action).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

fn mistakes(text: &str) -> Vec<String> {
    let wrong = file(&of(text), &action(false)).expect_err("it is wrong");
    wrong.iter().map(ToString::to_string).collect()
}

fn assert_recorded(prefix: &str, manual: bool) {
    for name in INPUTS {
        let output = done(&source(name), &action(manual));
        let report: String = output
            .report
            .iter()
            .map(|line| format!("# {line}\n"))
            .collect();
        assert_golden(
            &format!("{prefix}-{name}"),
            &format!("{}{report}", output.text),
        );
    }
}

#[test]
fn files_are_annotated_as_recorded() {
    assert_recorded("inject", false);
}

#[test]
fn proxies_are_written_as_recorded() {
    assert_recorded("inject-manual", true);
}

/// Comments and layout survive both ways, to the byte. (An empty `annotations:`
/// goes, with what was put into it.)
#[test]
fn uninject_gives_back_what_inject_was_given() {
    for manual in [false, true] {
        for name in INPUTS {
            let before = source(name);
            let injected = Source {
                text: done(&before, &action(manual)).text,
                name: name.to_owned(),
            };
            let after = done(&injected, &Action::Uninject).text;
            assert_eq!(
                after,
                before
                    .text
                    .replace("        annotations:\n        labels", "        labels"),
                "{name}, manual: {manual}"
            );
        }
    }
}

#[test]
fn what_is_injected_stays_as_it_is() {
    for manual in [false, true] {
        for name in INPUTS {
            let once = Source {
                text: done(&source(name), &action(manual)).text,
                name: name.to_owned(),
            };
            assert_eq!(done(&once, &action(manual)).text, once.text, "{name}");
        }
    }
}

#[test]
fn flags_become_annotations() {
    let mut injection = injection(false);
    injection.mode = Mode::Ingress;
    injection
        .annotations
        .insert("config.mesh.dev/proxy-cpu-limit".to_owned(), "2".to_owned());
    let pod = "kind: Pod\nmetadata:\n  annotations:\n    mesh.dev/inject: enabled # yes\nspec: {containers: [{name: a}]}\n";
    let output = done(&of(pod), &Action::Inject(Box::new(injection)));
    assert_eq!(
        output.text,
        "kind: Pod\nmetadata:\n  annotations:\n    config.mesh.dev/proxy-cpu-limit: \"2\"\n    mesh.dev/inject: ingress # yes\nspec: {containers: [{name: a}]}\n"
    );
}

#[test]
fn ingress_stays_ingress() {
    let pod =
        "kind: Pod\nmetadata: {annotations: {mesh.dev/inject: ingress}}\nspec: {containers: []}\n";
    let output = done(&of(pod), &action(false));
    assert_eq!(output.text, pod);
    assert_eq!(
        output.report,
        ["web.yaml: Pod ?: has the annotations already"]
    );
}

#[test]
fn mistakes_name_file_document_and_field() {
    let good = "kind: Service\n---\n";
    for (text, told) in [
        (
            "kind: Pod\n  a: 1\n",
            "web.yaml: document 2: line 4: no valid YAML: ",
        ),
        ("a: 1\n", "web.yaml: document 2: kind: no Kubernetes object"),
        (
            "kind: List\nitems: [{a: 1}]\n",
            "web.yaml: document 2: items[0].kind: no Kubernetes object",
        ),
        (
            "kind: Deployment\nmetadata: {name: web}\nspec: {}\n",
            "web.yaml: document 2: spec.template: a Deployment needs it",
        ),
        (
            "kind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {template: {spec: {containers: [{name: 1}]}}}\n",
            "web.yaml: document 2 (Deployment shop/web): spec.template.spec.containers[0].name: invalid type: integer `1`",
        ),
        (
            "kind: Pod\nmetadata: {name: web, annotations: {config.mesh.dev/proxy-uid: root}}\nspec: {containers: []}\n",
            "web.yaml: document 2 (Pod web): metadata.annotations[config.mesh.dev/proxy-uid]: \"root\": expected a numeric id",
        ),
        (
            "kind: Pod\nmetadata: {name: web, annotations: {mesh.dev/inject: maybe}}\nspec: {containers: []}\n",
            "web.yaml: document 2 (Pod web): metadata.annotations[mesh.dev/inject]: \"maybe\": expected enabled, disabled, ingress",
        ),
        (
            "kind: Pod\nmetadata: {name: web, annotations: {mesh.dev/inject: true}}\nspec: {containers: []}\n",
            "web.yaml: document 2 (Pod web): metadata.annotations.mesh.dev/inject: invalid type: boolean `true`",
        ),
    ] {
        let wrong = mistakes(&format!("{good}{text}"));
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].starts_with(told), "{}\n{told}", wrong[0]);
    }
}

#[test]
fn every_mistake_of_a_file_is_told() {
    let pod = |value| {
        format!(
            "kind: Pod\nmetadata: {{annotations: {{config.mesh.dev/proxy-uid: {value}, config.mesh.dev/proxy-gid: {value}}}}}\nspec: {{containers: []}}\n"
        )
    };
    assert_eq!(mistakes(&format!("{}---\n{}", pod("a"), pod("b"))).len(), 4);
}

#[test]
fn a_document_with_anchors_is_written_anew_and_said_so() {
    let pod =
        "kind: Pod\nmetadata: &m\n  annotations: &a {b: c}\n  labels: *a\nspec: {containers: []}\n";
    let output = done(&of(pod), &action(false));
    assert!(
        output.report[1].contains("warning: written anew"),
        "{:?}",
        output.report
    );
    let value: Value = manifests::read(&output.text).unwrap();
    assert_eq!(value["metadata"]["annotations"][INJECT], "enabled");
    assert_eq!(value["metadata"]["labels"], serde_json::json!({"b": "c"}));
}

#[test]
fn an_empty_file_stays_empty() {
    for text in ["", "# nothing\n", "---\n---\n", "\u{feff}# bom\n"] {
        let output = done(&of(text), &action(false));
        assert_eq!((output.text.as_str(), output.report.len()), (text, 0));
    }
}

/// The proxy that the injector starts knows every variable that it is given.
#[test]
fn the_proxy_takes_the_environment() {
    let pod = "kind: Pod\nmetadata: {name: web, namespace: shop, annotations: {config.mesh.dev/proxy-cpu-limit: '1500m', config.mesh.dev/shutdown-grace-period: 90s}}\nspec: {containers: [{name: a, ports: [{containerPort: 8080}]}]}\n";
    let output = done(&of(pod), &action(true));
    let pod: Value = manifests::read(&output.text).unwrap();
    let mut vars: BTreeMap<String, String> = BTreeMap::new();
    for variable in pod["spec"]["initContainers"][1]["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        let field = |path| variable.pointer(path).and_then(Value::as_str);
        let mut value = match field("/valueFrom/fieldRef/fieldPath") {
            Some("status.podIPs") => "10.1.0.7,fd00::7".to_owned(),
            Some("spec.serviceAccountName") => "web-account".to_owned(),
            Some(_) => "name".to_owned(),
            None => field("/value").unwrap().to_owned(),
        };
        for (known, text) in &vars {
            value = value.replace(&format!("$({known})"), text);
        }
        vars.insert(name.to_owned(), value);
    }
    vars.retain(|name, _| !name.starts_with('_'));
    let config = mesh_proxy::config::Config::from_vars(&vars.into_iter().collect()).unwrap();
    assert_eq!(config.unknown, Vec::<String>::new());
    assert_eq!(config.inbound.listen, "[::]:4143".parse().unwrap());
}
