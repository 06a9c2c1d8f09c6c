//! That the Helm chart says what `mesh install` says, as far as that shows without Helm. What it renders is compared by `make test-helm`.

use super::super::*;
use mesh_controller::injector::rows;
use serde_json::Value;

const CHART: &str = include_str!("../../../../deploy/helm/mesh/Chart.yaml");
const DEFAULTS: &str = include_str!("../../../../deploy/helm/mesh/values.yaml");
const SCHEMA: &str = include_str!("../../../../deploy/helm/mesh/values.schema.json");

#[test]
fn its_version_is_ours() {
    let chart: Value = mesh_controller::manifests::read(CHART).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn its_values_are_our_defaults() {
    let values: Value = mesh_controller::manifests::read(DEFAULTS).unwrap();
    assert_eq!(values, serde_json::to_value(Values::default()).unwrap());
}

#[test]
fn its_schema_knows_every_value_and_no_other() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut values = Values::default();
    // Left out where they are not set.
    values.replicas = Some(1);
    let defaults = rows()
        .into_iter()
        .map(|row| (row.name.to_owned(), String::new()));
    values.proxy_defaults = defaults.collect();
    // They have values of their own.
    values
        .proxy_defaults
        .retain(|name, _| !["opaque-ports", "default-inbound-policy"].contains(&name.as_str()));
    for text in [
        &mut values.identity.trust_anchors,
        &mut values.identity.issuer.certificate,
        &mut values.identity.issuer.key,
    ] {
        *text = "PEM".to_owned();
    }
    let values = serde_json::to_value(values).unwrap();
    let mut known = names(&schema["properties"], &schema);
    known.retain(|name| name != "/global");
    known.sort();
    let mut there = names(&values, &schema);
    there.sort();
    assert_eq!(known, there);
}

/// Paths of the members of `map`, as far down as the schema describes them.
fn names(map: &Value, schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for (name, member) in map.as_object().unwrap() {
        names.push(format!("/{name}"));
        let below = &schema["properties"][name];
        if below["properties"].is_object() {
            let member = member.get("properties").unwrap_or(member);
            let deeper = self::names(member, below).into_iter();
            names.extend(deeper.map(|deeper| format!("/{name}{deeper}")));
        }
    }
    names
}
