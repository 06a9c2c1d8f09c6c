use super::*;
use crate::injector::settings::{Settings, rows};

fn of(pairs: &[(&str, &str)]) -> Annotations {
    let owned =
        |(name, value): &(&str, &str)| (format!("{CONFIG_PREFIX}{name}"), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// Errors of the pod, and what was left out of others.
fn read(pod: &[(&str, &str)], namespace: &[(&str, &str)]) -> (Settings, Vec<String>, Vec<String>) {
    let (pod, namespace, install) = (of(pod), of(namespace), Annotations::new());
    let mut reader = Reader::new(&pod, &namespace, &install);
    let settings = Settings::read(&mut reader);
    let texts = |list: &[BadAnnotation]| list.iter().map(ToString::to_string).collect();
    (settings, texts(&reader.errors), texts(&reader.left_out))
}

#[test]
fn the_pod_is_stronger_than_the_namespace_and_that_than_the_install() {
    let install = Annotations::from([
        ("proxy-uid".to_owned(), "3".to_owned()),
        ("inbound-port".to_owned(), "3000".to_owned()),
        ("admin-port".to_owned(), "3001".to_owned()),
    ]);
    let namespace = of(&[("proxy-uid", "2"), ("inbound-port", "2000")]);
    let pod = of(&[("proxy-uid", "1")]);
    let mut reader = Reader::new(&pod, &namespace, &install);
    let settings = Settings::read(&mut reader);
    assert_eq!(settings.user.uid, 1);
    assert_eq!((settings.ports.inbound, settings.ports.admin), (2000, 3001));
    assert_eq!(settings.ports.outbound, 4140);
}

/// One wrong value of each annotation: named, with what is right.
#[test]
fn every_annotation_is_checked() {
    for row in rows() {
        let wrong = "\u{1f980} 1";
        let (_, errors, _) = read(&[(row.name, wrong)], &[]);
        let expected = format!(
            "pod annotation config.mesh.dev/{}: {wrong:?}: expected {}, for example ",
            row.name, row.expected
        );
        assert_eq!(errors.len(), 1, "{}", row.name);
        assert!(
            errors[0].starts_with(&expected),
            "{}\n{expected}",
            errors[0]
        );
    }
}

/// Defaults and examples are values that are taken.
#[test]
fn every_default_is_right() {
    for row in rows().iter().filter(|row| !row.default.is_empty()) {
        let (_, errors, _) = read(&[(row.name, row.default)], &[]);
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn values_that_are_nearly_right_are_wrong() {
    for (name, value) in [
        ("inbound-port", "0"),
        ("inbound-port", "65536"),
        ("skip-inbound-ports", "90-80"),
        ("skip-inbound-ports", "http"),
        ("opaque-ports", "9000-"),
        ("skip-subnets", "10.0.0.0/33"),
        ("proxy-cpu-limit", "-1"),
        ("proxy-cpu-limit", "0"),
        ("proxy-memory-limit", "250MiB"),
        ("proxy-cpu-ratio-limit", "1.5"),
        ("proxy-uid", "0"),
        ("proxy-await", "true"),
        ("proxy-enable-native-sidecar", "enabled"),
        ("proxy-outbound-connect-timeout", "2"),
        ("proxy-outbound-connect-timeout", "1.5s"),
        ("shutdown-grace-period", "99999d"),
        ("close-wait-timeout", "1500ms"),
        ("proxy-log-level", "loud"),
        ("default-inbound-policy", "all-authentcated"),
        ("proxy-additional-env", r#"{"name":"A"}"#),
        ("proxy-additional-env", r#"[{"name":""}]"#),
        ("image-pull-policy", "always"),
        ("proxy-version", "a tag"),
    ] {
        let (_, errors, _) = read(&[(name, value)], &[]);
        assert_eq!(errors.len(), 1, "{name}: {value}");
    }
}

#[test]
fn a_namespaces_wrong_value_is_left_out() {
    let (settings, errors, left_out) = read(&[], &[("proxy-uid", "root")]);
    assert_eq!((settings.user.uid, errors.len()), (2102, 0));
    assert!(
        left_out[0]
            .starts_with("namespace annotation config.mesh.dev/proxy-uid: \"root\": expected ")
    );
}

#[test]
fn names_that_mean_nothing_are_told_of() {
    let pod = of(&[
        ("enable-debug-sidecar", "true"),
        ("proxy-cpu", "1"),
        ("zzz", "1"),
    ]);
    let none = Annotations::new();
    let mut reader = Reader::new(&pod, &none, &none);
    Settings::read(&mut reader);
    assert_eq!(
        reader.unknown(),
        [
            "annotation config.mesh.dev/enable-debug-sidecar of Linkerd has no effect here",
            "there is no annotation config.mesh.dev/proxy-cpu; there is config.mesh.dev/proxy-cpu-request",
            "there is no annotation config.mesh.dev/zzz",
        ]
    );
}

#[test]
fn environments_are_merged_by_name() {
    let list = |value| format!(r#"[{{"name":"A","value":"{value}"}}]"#);
    let (settings, ..) = read(
        &[("proxy-additional-env", &list("pod"))],
        &[("proxy-additional-env", &list("namespace"))],
    );
    let values: Vec<_> = settings
        .environment
        .iter()
        .map(|level| level["A"].value.clone().unwrap())
        .collect();
    assert_eq!(values, ["namespace", "pod"], "the strongest last");
}
