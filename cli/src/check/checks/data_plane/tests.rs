use super::*;
use crate::check::snapshot::Answer;
use crate::check::tests::world::{VERSION, World, made};
use crate::check::tests::{Break, assert_broken, assert_fine};
use mesh_identity::ca;
use serde_json::json;

pub(in crate::check) const BREAKS: &[Break] = &[
    (
        "proxy-exists",
        "no pod of any namespace has a proxy",
        |world| world.remove("Pod", "web-1"),
    ),
    ("proxy-exists", "no pod of namespace other", |world| {
        world.scope.namespace = Some("other".to_owned());
    }),
    (
        "proxy-ready",
        "container mesh-proxy waits, CrashLoopBackOff",
        |world| {
            world.edit("Pod", "web-1", |pod| {
                let status = &mut pod["status"]["containerStatuses"][1];
                status["ready"] = json!(false);
                status["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
            });
        },
    ),
    (
        "proxy-answers",
        "pod shop/web-1: port 4191: no answer",
        |world| {
            world.proxy().metrics = Err("port 4191: no answer".to_owned());
        },
    ),
    ("proxy-answers", "not ready: no certificate", |world| {
        world.proxy().ready = Ok(Answer {
            ok: false,
            text: "not ready: no certificate\n".to_owned(),
            ahead: None,
        });
    }),
    ("proxy-version", "it is 0.0.1, not ", |world| {
        world.edit("Pod", "web-1", |pod| {
            pod["metadata"]["annotations"]["mesh.dev/proxy-version"] = json!("0.0.1");
        });
    }),
    ("proxy-certificate", "has expired 16 min ago", |world| {
        certified(world, -87_400, -1_000)
    }),
    (
        "proxy-certificate",
        "ends in 16 min and is not renewed",
        |world| certified(world, -85_400, 1_000),
    ),
    ("proxy-certificate", "has no certificate yet", |world| {
        world.proxy_says(&[
            "control_identity_cert_refresh_timestamp_seconds 0",
            "control_identity_cert_expiration_timestamp_seconds 0",
        ]);
    }),
    (
        "proxy-clock",
        "pod shop/web-1: its clock is 3600 s behind",
        |world| {
            if let Ok(answer) = &mut world.proxy().ready {
                answer.ahead = Some(-3600);
            }
        },
    ),
    (
        "proxy-trust-bundles",
        "namespace shop has no ConfigMap mesh-trust-bundle",
        |world| {
            world.remove("ConfigMap", "shop/mesh-trust-bundle");
        },
    ),
    (
        "proxy-trust-bundles",
        "has other anchors than the control plane",
        |world| {
            let other = made(&ca::Options::default()).root.pem();
            world.edit("ConfigMap", "shop/mesh-trust-bundle", |map| {
                map["data"]["ca-bundle.crt"] = json!(other)
            });
        },
    ),
    (
        "proxy-trust-anchors",
        "it still uses other anchors",
        |world| {
            world.proxy_says(&["control_identity_trust_anchors_info{sha256=\"00\"} 1"]);
        },
    ),
    (
        "proxy-trust-anchors",
        "it was injected with other anchors",
        |world| {
            world.edit("Pod", "web-1", |pod| {
                let proxy = &mut pod["spec"]["initContainers"][1];
                assert_eq!(proxy["name"], "mesh-proxy");
                let fixed = json!({"name": "MESH_PROXY_IDENTITY_TRUST_ANCHORS", "value": "old"});
                proxy["env"].as_array_mut().unwrap().push(fixed);
            });
        },
    ),
    (
        "proxy-streams",
        "pod shop/web-1: no answers from mesh-policy:8090 for 60 s",
        |world| failing(world, 60, 3),
    ),
];

/// The proxy's client of the policy service gets no answers since, and has failed, so many
/// seconds ago.
fn failing(world: &mut World, since: i64, last: i64) {
    let now = world.now.as_second();
    let line = |name: &str, ago: i64| {
        format!(
            "control_{name}_timestamp_seconds{{addr=\"mesh-policy:8090\"}} {}",
            now - ago
        )
    };
    let (since, last) = (line("failing_since", since), line("failure", last));
    world.proxy_says(&[&since, &last]);
}

/// The proxy's certificate begins and ends so many seconds from now.
fn certified(world: &mut World, start: i64, end: i64) {
    let now = world.now.as_second();
    let start = format!(
        "control_identity_cert_refresh_timestamp_seconds {}",
        now + start
    );
    let end = format!(
        "control_identity_cert_expiration_timestamp_seconds {}",
        now + end
    );
    world.proxy_says(&[&start, &end]);
}

#[test]
fn what_is_wrong_with_proxies_is_named() {
    assert_broken(BREAKS);
}

#[test]
fn what_happens_all_the_time_is_fine() {
    assert_fine(&[
        ("proxy-certificate", |world| {
            certified(world, -75_000, 11_400)
        }),
        ("proxy-clock", |world| {
            if let Ok(answer) = &mut world.proxy().ready {
                answer.ahead = Some(2);
            }
        }),
        // A restart of the controller, and a client that has had nothing to ask since.
        ("proxy-streams", |world| failing(world, 5, 1)),
        ("proxy-streams", |world| failing(world, 3600, 3600)),
        ("proxy-version", |world| {
            world.edit("Pod", "web-1", |pod| {
                let annotations = &mut pod["metadata"]["annotations"];
                annotations["mesh.dev/proxy-version"] = json!("edge");
                annotations["config.mesh.dev/proxy-version"] = json!("edge");
            });
        }),
        ("proxy-trust-bundles", |world| {
            // One that leaves.
            let gone = json!({"name": "old", "annotations": {INJECT: "enabled"}, "deletionTimestamp": "2026-11-21T00:00:00Z"});
            world.add(json!({"kind": "Namespace", "metadata": gone}));
        }),
    ]);
}

#[test]
fn other_namespaces_are_left_out() {
    let mut world = World::well();
    world.remove("ConfigMap", "shop/mesh-trust-bundle");
    world.scope.namespace = Some("other".to_owned());
    assert_eq!(trust_bundles(&world.snapshot()), Ok(()));
    assert!(meshed(&world.snapshot()).unwrap().is_empty());
}

#[test]
fn a_healthy_proxy_has_the_version_of_the_install() {
    assert_eq!(version(&World::well().snapshot()), Ok(()));
    assert!(!VERSION.is_empty());
}
