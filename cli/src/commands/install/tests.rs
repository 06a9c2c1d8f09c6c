//! Files, flags and the cluster together.

use super::*;
use crate::install::testing;
use clap::Parser;
use std::time::Duration;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(line: &[&str]) -> Args {
    Line::parse_from(std::iter::once(&"mesh").chain(line)).args
}

fn said(line: &[&str]) -> Result<Values, String> {
    values(&args(line)).map_err(|error| error.to_string())
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("values.yaml");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (dir, path)
}

#[test]
fn flags_win_over_files_and_files_over_defaults() {
    let (_dir, path) =
        file("namespace: there\ntag: v1\nlogLevel: warn\nproxyDefaults: {proxy-uid: '7'}");
    let values = said(&["-f", &path, "--tag", "v2", "--set", "proxy-gid=8", "--ha"]).unwrap();
    assert_eq!(values.namespace, "there");
    assert_eq!(
        (values.tag.as_str(), values.log_level.as_str()),
        ("v2", "warn")
    );
    assert_eq!(values.proxy_defaults.len(), 2);
    assert_eq!(values.replicas(), 3);
    let values = said(&["-f", &path, "--mesh-namespace", "elsewhere"]).unwrap();
    assert_eq!(values.namespace, "elsewhere");
}

#[test]
fn every_flag_reaches_its_value() {
    let values = said(&[
        "--registry=r",
        "--tag=t",
        "--image-pull-policy=Always",
        "--ha=false",
        "--replicas=2",
        "--trust-domain=t.example",
        "--cluster-domain=c.example",
        "--cluster-networks=10.0.0.0/8",
        "--disable-ipv6",
        "--default-inbound-policy=deny",
        "--opaque-ports=1",
        "--injector-failure-policy=Fail",
        "--identity-external-issuer",
        "--identity-issuance-lifetime=1h",
        "--identity-clock-skew-allowance=1m",
        "--log=debug",
    ])
    .unwrap();
    let text = "\
registry: r\ntag: t\nimagePullPolicy: Always\nreplicas: 2\ntrustDomain: t.example\nclusterDomain: c.example
clusterNetworks: 10.0.0.0/8\ndisableIPv6: true\ndefaultInboundPolicy: deny\nopaquePorts: '1'\nlogLevel: debug
injector: {failurePolicy: Fail}
identity: {issuer: {external: true}, issuanceLifetimeSeconds: 3600, clockSkewAllowanceSeconds: 60}";
    assert_eq!(values, Values::default().overlaid("test", text).unwrap());
}

#[test]
fn unreadable_files_are_all_named() {
    let error = said(&[
        "--identity-trust-anchors-file=/no/ca.crt",
        "--identity-issuer-key-file=/no/key",
    ])
    .unwrap_err();
    assert_eq!(
        error,
        "--identity-trust-anchors-file: can't read /no/ca.crt: No such file or directory (os error 2)\n\
         mesh: --identity-issuer-key-file: can't read /no/key: No such file or directory (os error 2)"
    );
    let error = said(&["-f", "/no/values.yaml"]).unwrap_err();
    assert!(
        error.starts_with("--values: can't read /no/values.yaml"),
        "{error}"
    );
}

#[test]
fn mistakes_are_told_one_a_line() {
    let error = said(&["--log=loud", "--tag=a b", "--set", "proxy-uid=root"]).unwrap_err();
    assert_eq!(error.lines().count(), 3, "{error}");
    assert!(
        error
            .lines()
            .skip(1)
            .all(|line| line.starts_with("mesh: --")),
        "{error}"
    );
}

#[tokio::test]
async fn a_second_mesh_is_refused_with_the_next_step() {
    let installed = |namespace: &str| {
        let values = Values {
            namespace: namespace.to_owned(),
            ..Values::default()
        };
        let credentials = Credentials::of(&values, SystemTime::now()).unwrap();
        testing::cluster(install::objects(&values, &credentials, "0.0.9"))
    };
    let here = found(&installed("mesh"))
        .await
        .unwrap()
        .unwrap()
        .to_string();
    assert!(
        here.starts_with("mesh 0.0.9 is installed in namespace mesh already: `mesh upgrade"),
        "{here}"
    );
    let there = found(&installed("other"))
        .await
        .unwrap()
        .unwrap()
        .to_string();
    assert!(there.starts_with("namespace other has a mesh"), "{there}");
    assert!(
        found(&testing::cluster(Vec::new()))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_cluster_that_is_away_is_no_reason_to_print_nothing() {
    let (_dir, path) = file("no kubeconfig");
    let args = args(&["--kubeconfig", &path]);
    let looked = tokio::time::timeout(Duration::from_secs(60), look(&args.cluster, "mesh"));
    assert!(looked.await.unwrap().is_ok());
}

/// docs/install.md has a row for each flag, with the value that it is and that value's default.
#[test]
fn the_documentation_lists_every_flag() {
    let documented = include_str!("../../../../docs/install.md");
    let defaults = serde_json::to_value(Values::default()).unwrap();
    let command = <Line as clap::CommandFactory>::command();
    let others = [
        "values",
        "output",
        "ignore-cluster",
        "kubeconfig",
        "context",
        "as",
        "as-group",
    ];
    for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
        if others.contains(&flag) {
            continue;
        }
        let start = format!("| --{flag} | `");
        let row = documented
            .lines()
            .find_map(|line| line.strip_prefix(&start));
        let (value, row) = row
            .and_then(|row| row.split_once("` | "))
            .unwrap_or_else(|| panic!("no row {start}"));
        let default = defaults.pointer(&format!("/{}", value.replace('.', "/")));
        let default = match default {
            None => String::new(),
            Some(serde_json::Value::String(text)) if text.is_empty() => String::new(),
            Some(serde_json::Value::String(text)) => format!("`{text}`"),
            Some(other) => format!("`{other}`"),
        };
        assert!(
            row.starts_with(&format!("{default} | ")),
            "--{flag}: expected default {default}: {row}"
        );
    }
}
