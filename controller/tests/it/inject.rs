//! What Linkerd's injector did to 18 pods and a Service, and what ours does.
//!
//! `tests/vectors/inject` was recorded with names translated to ours already.
//! Here both pods are brought to a common form (below), and every difference that
//! is left must be a row of docs/compatibility.md, "Injected pods", and every row
//! must be a difference. The common form: what has a name is found by it, not by its
//! index; flags are found by their names; null is nothing; durations count by
//! value, and JSON within text as JSON.

mod compare;

use crate::vectors::{folder, read};
use compare::{Differences, normal};
use mesh_controller::injector::{Annotations, Config, Decision, INJECT, Namespace, patch};
use serde_json::Value;
use std::collections::BTreeMap;

/// The version of the Linkerd that made the vectors.
const VERSION: &str = "edge-26.8.3";

fn annotations(pairs: &[(&str, &str)]) -> Annotations {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// An install as the one that the vectors come from.
fn install() -> (Config, Namespace) {
    let config = Config {
        created_by: format!("mesh/proxy-injector {VERSION}"),
        ipv6: false,
        install: annotations(&[("proxy-version", VERSION)]),
        ..Config::default()
    };
    let namespace = Namespace {
        name: Some("shop".to_owned()),
        annotations: annotations(&[(INJECT, "enabled")]),
    };
    (config, namespace)
}

fn decide(object: &Value) -> Decision {
    let (config, namespace) = install();
    patch(object, None, &namespace, &config)
}

fn vector(name: &str) -> Value {
    serde_json::from_str(&read(&format!("vectors/{name}"))).unwrap()
}

/// Our pod, or what became of it.
fn ours(object: &Value) -> Result<Value, String> {
    match decide(object) {
        Decision::Inject { patch, .. } => {
            let mut pod = object.clone();
            patch.apply(&mut pod).unwrap();
            Ok(pod)
        }
        Decision::Skip(skip) => Err(format!("skipped: {}", skip.label())),
        Decision::Refuse(errors) => {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Err(format!("refused: {}", errors.join("; ")))
        }
    }
}

fn differences() -> Differences {
    let mut differences = Differences::default();
    for name in folder("inject") {
        let vector = vector(&name);
        let short = name.trim_start_matches("inject/").trim_end_matches(".json");
        match (ours(&vector["object"]), vector.get("result")) {
            (Ok(pod), Some(theirs)) => differences.collect(short, &normal(theirs), &normal(&pod)),
            (Err(skipped), None) if skipped.starts_with("skipped: ") => {}
            (ours, theirs) => {
                let ours = ours.map_or_else(|why| why, |_| "injected".to_owned());
                let theirs = theirs.map_or("skipped without a word", |_| "injected");
                differences.decision(short, theirs, &ours);
            }
        }
    }
    differences
}

/// Every difference is in the table with a reason, and no other is.
#[test]
fn every_difference_is_written_down() {
    let document = read("../../docs/compatibility.md");
    let section = document
        .split("## Injected pods")
        .nth(1)
        .expect("there is a section");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut written: BTreeMap<String, bool> = rows
        .map(|row| {
            let (difference, why) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
            (difference.to_owned(), !why.trim().is_empty())
        })
        .collect();
    let mut wrong = Vec::new();
    for row in differences().rows() {
        match written.remove(&row) {
            Some(true) => {}
            Some(false) => wrong.push(format!("no reason: {row} |")),
            None => wrong.push(format!("not written down: {row} | |")),
        }
    }
    wrong.extend(
        written
            .into_keys()
            .map(|row| format!("no such difference: {row}")),
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The table of vectors says `same` where nothing is left to say.
#[test]
fn each_pod_has_a_row() {
    let differences = differences();
    let table = read("../../docs/compatibility.md");
    for name in folder("inject") {
        let short = name.trim_start_matches("inject/").trim_end_matches(".json");
        let answer = if differences.of(short) {
            "differs"
        } else {
            "same"
        };
        let row = format!("| {name} | {answer} |");
        assert!(table.contains(&row), "{row}");
    }
}

/// Where Linkerd is silent.
#[test]
fn a_skip_has_a_reason() {
    for (name, reason) in [
        ("already-injected", "sidecar_already_exists"),
        ("bad-inject-value", "invalid_inject_annotation_at_workload"),
        ("disabled", "injection_disable_annotation_present"),
        ("host-network", "host_network_enabled"),
        ("service", "unsupported_resource"),
    ] {
        let object = &vector(&format!("inject/{name}.json"))["object"];
        let Decision::Skip(skip) = decide(object) else {
            panic!("{name} is left as it is");
        };
        assert_eq!(skip.label(), reason, "{name}: {skip}");
    }
}

#[test]
fn udp_is_told_of() {
    let object = &vector("inject/udp-port.json")["object"];
    let Decision::Inject { warnings, .. } = decide(object) else {
        panic!("UDP is no reason to skip");
    };
    assert!(warnings[0].contains("udp_ports_enabled"), "{warnings:?}");
}

#[test]
fn what_is_injected_is_not_injected_again() {
    let object = &vector("inject/plain.json")["object"];
    let pod = ours(object).unwrap();
    assert_eq!(
        ours(&pod),
        Err("skipped: sidecar_already_exists".to_owned())
    );
}
