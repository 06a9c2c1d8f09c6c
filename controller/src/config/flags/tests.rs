//! Flags and their defaults.

use super::*;
use crate::config::Config;
use mesh_identity::kubernetes::Access;

fn parse(flags: &[&str]) -> Result<Config, String> {
    let flags = ["mesh-controller", "--source", "x"].iter().chain(flags);
    Flags::try_parse_from(flags)
        .map(Config::from)
        .map_err(|error| error.to_string())
}

#[test]
fn the_command_is_well_formed() {
    Flags::command().debug_assert();
}

#[test]
fn defaults_are_those_of_config() {
    let flags = parse(&[]).unwrap();
    assert_eq!(format!("{flags:?}"), format!("{:?}", Config::new("x")));
}

#[test]
fn bad_values_are_named() {
    let cases = [
        ("--policy-addr", "8090"),
        ("--default-inbound-policy", "open"),
        ("--opaque-ports", "25,smtp"),
        ("--cluster-networks", "10.0.0.0/33"),
        ("--log", "loud"),
        ("--serve", "destination,webhook"),
        ("--identity-addr", "mesh-identity"),
    ];
    for (flag, value) in cases {
        let error = parse(&[flag, value]).expect_err("a bad value");
        assert!(
            error.contains(flag) && error.contains(value.rsplit(',').next().unwrap()),
            "{error}"
        );
    }
    let error = parse(&["--identity-addr", "127.0.0.1:8080"]).expect_err("a token is missing");
    assert!(error.contains("--identity-token"), "{error}");
}

#[test]
fn the_variable_behind_a_bad_value_is_found() {
    let error =
        Flags::try_parse_from(["mesh-controller", "--source", "x", "--policy-addr", "8090"]);
    let variable = variable_of(&error.expect_err("a bad value"));
    assert_eq!(
        variable.as_deref(),
        Some(std::ffi::OsStr::new("MESH_CONTROLLER_POLICY_ADDR"))
    );
}

#[test]
fn sources() {
    let source = |flags: &[&str]| {
        let flags = ["mesh-controller"].iter().chain(flags);
        Config::from(Flags::try_parse_from(flags).unwrap()).source
    };
    for text in ["./kubernetes", "directory:./kubernetes"] {
        assert_eq!(
            source(&["--source", text]),
            SourceConfig::from("./kubernetes")
        );
    }
    let here = SourceConfig::Kubernetes(Access::default());
    assert_eq!(source(&["--source", "kubernetes"]), here);
    let there = Access {
        kubeconfig: Some("k".into()),
        context: Some("c".to_owned()),
    };
    let flags = [
        "--source",
        "kubernetes",
        "--kubeconfig",
        "k",
        "--kube-context",
        "c",
    ];
    assert_eq!(source(&flags), SourceConfig::Kubernetes(there));
}

/// docs/config.md has a row for each flag, with its variable and default.
#[test]
fn the_documentation_lists_every_flag() {
    let documented = include_str!("../../../../docs/config.md");
    for flag in Flags::command().get_arguments() {
        let (Some(name), Some(variable)) = (flag.get_long(), flag.get_env()) else {
            continue;
        };
        let default = match flag.get_default_values() {
            // A switch is off, which says nothing.
            [] => String::new(),
            [value] if value == "false" => String::new(),
            values => {
                let values: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
                format!("`{}`", values.join(","))
            }
        };
        let default = if name == "source" {
            "required"
        } else {
            &default
        };
        let row = format!("| --{name} | `{}` | {default} | ", variable.display());
        assert!(documented.contains(&row), "no row {row}");
    }
}
