use crate::check::tests::world::{World, injected, unmeshed_pod};
use crate::check::tests::{Break, assert_broken, assert_fine};
use serde_json::{Value, json};

pub(in crate::check) const BREAKS: &[Break] = &[
    (
        "injection-missing",
        "pod shop/old has no proxy: it was created before",
        |world| {
            world.add(unmeshed_pod("old"));
        },
    ),
    ("injection-missing", "hostNetwork is true", |world| {
        let mut pod = unmeshed_pod("node");
        pod["spec"]["hostNetwork"] = json!(true);
        world.add(pod);
    }),
    (
        "injection-missing",
        "expected enabled, disabled or ingress",
        |world| {
            let mut pod = unmeshed_pod("maybe");
            pod["metadata"]["annotations"] = json!({"mesh.dev/inject": "maybe"});
            world.add(pod);
        },
    ),
    (
        "injection-refused",
        "ReplicaSet shop/web: admission webhook \"injector.mesh.dev\" denied",
        |world| {
            failing(
                world,
                "admission webhook \"injector.mesh.dev\" denied the request: proxy-cpu-limit",
            );
        },
    ),
    ("injection-refused", "violates PodSecurity", |world| {
        failing(
            world,
            "violates PodSecurity \"restricted:latest\": container \"mesh-init\" must not",
        );
    }),
    (
        "injection-pod-security",
        "namespace shop enforces restricted",
        |world| {
            world.edit("Namespace", "shop", |namespace| {
                namespace["metadata"]["labels"] =
                    json!({"pod-security.kubernetes.io/enforce": "restricted"});
            });
        },
    ),
    (
        "injection-pod-labels",
        "pod shop/web-1: config.mesh.dev/proxy-cpu-limit is a label",
        |world| {
            world.edit("Pod", "web-1", |pod| {
                pod["metadata"]["labels"]["config.mesh.dev/proxy-cpu-limit"] = json!("1")
            });
        },
    ),
    (
        "injection-service-labels",
        "Service shop/web: mesh.dev/inject is a label",
        |world| {
            world.edit("Service", "web", |service| {
                service["metadata"]["labels"] = json!({"mesh.dev/inject": "enabled"})
            });
        },
    ),
    (
        "injection-service-annotations",
        "config.mesh.dev/proxy-uid does nothing on a Service",
        |world| {
            annotate(world, "Service", "web", "config.mesh.dev/proxy-uid", "7");
        },
    ),
    (
        "injection-annotations",
        "pod shop/web-1: pod annotation config.mesh.dev/proxy-cpu-limit",
        |world| {
            annotate(
                world,
                "Pod",
                "web-1",
                "config.mesh.dev/proxy-cpu-limit",
                "lots",
            );
        },
    ),
    (
        "injection-annotations",
        "namespace shop: namespace annotation config.mesh.dev/proxy-log-level",
        |world| {
            annotate(
                world,
                "Namespace",
                "shop",
                "config.mesh.dev/proxy-log-level",
                "loud",
            );
        },
    ),
    (
        "injection-annotations",
        "Service shop/web: metadata.annotations[timeout.linkerd.io/request]",
        |world| {
            annotate(
                world,
                "Service",
                "web",
                "timeout.linkerd.io/request",
                "soon",
            );
        },
    ),
    (
        "opaque-ports",
        "port 8080 of pod web-1 is not opaque by its own annotation, but opaque by that of Service shop/web",
        |world| {
            opaque(world, "9000", "80");
        },
    ),
    (
        "opaque-ports",
        "port 8080 of pod web-1 is opaque by its own annotation, but not opaque",
        |world| {
            opaque(world, "http", "443");
        },
    ),
];

fn annotate(world: &mut World, kind: &str, name: &str, annotation: &str, value: &str) {
    world.edit(kind, name, |object| {
        object["metadata"]["annotations"][annotation] = json!(value)
    });
}

/// What pod and Service say.
fn opaque(world: &mut World, pod: &str, service: &str) {
    annotate(world, "Pod", "web-1", "config.mesh.dev/opaque-ports", pod);
    annotate(
        world,
        "Service",
        "web",
        "config.mesh.dev/opaque-ports",
        service,
    );
}

fn failing(world: &mut World, why: &str) {
    world.add(json!({"kind": "ReplicaSet", "metadata": {"name": "web", "namespace": "shop"},
        "status": {"replicas": 0, "conditions": [{"type": "ReplicaFailure", "status": "True", "message": why}]}}));
}

fn service(world: &mut World, name: &str, spec: Value, opaque: &str) {
    let metadata = json!({"name": name, "namespace": "shop", "annotations": {"config.mesh.dev/opaque-ports": opaque}});
    world.add(json!({"kind": "Service", "metadata": metadata, "spec": spec}));
}

#[test]
fn what_keeps_pods_from_their_proxies_is_named() {
    assert_broken(BREAKS);
}

#[test]
fn what_was_asked_for_is_fine() {
    assert_fine(&[
        ("injection-missing", |world| {
            let mut pod = unmeshed_pod("out");
            pod["metadata"]["annotations"] = json!({"mesh.dev/inject": "disabled"});
            world.add(pod);
        }),
        ("injection-missing", |world| {
            let mut pod = unmeshed_pod("done");
            pod["status"]["phase"] = json!("Succeeded");
            world.add(pod);
        }),
        ("injection-missing", |world| {
            world.add(unmeshed_pod("elsewhere"));
            world.scope.namespace = Some("other".to_owned());
        }),
        ("injection-refused", |world| {
            failing(world, "exceeded quota")
        }),
        ("injection-pod-security", |world| {
            let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
            world
                .add(json!({"kind": "Namespace", "metadata": {"name": "plain", "labels": labels}}));
        }),
        ("injection-service-annotations", |world| {
            annotate(
                world,
                "Service",
                "web",
                "config.mesh.dev/opaque-ports",
                "80",
            );
        }),
    ]);
}

#[test]
fn the_false_alarms_of_linkerd_are_not_raised() {
    assert_fine(&[
        // One annotation is enough: the controller joins them.
        ("opaque-ports", |world| {
            annotate(
                world,
                "Service",
                "web",
                "config.mesh.dev/opaque-ports",
                "80",
            )
        }),
        ("opaque-ports", |world| {
            annotate(
                world,
                "Pod",
                "web-1",
                "config.mesh.dev/opaque-ports",
                "8080",
            )
        }),
        // linkerd2 #6783, #6801: the Service's port is another number than the pod's.
        ("opaque-ports", |world| opaque(world, "8080", "80")),
        ("opaque-ports", |world| opaque(world, "8080,9000", "80,443")),
        ("opaque-ports", |world| opaque(world, "http", "80")),
        // linkerd2 #7006: neither port has a name, and they are different ones.
        ("opaque-ports", |world| {
            annotate(
                world,
                "Pod",
                "web-1",
                "config.mesh.dev/opaque-ports",
                "5432",
            );
            service(
                world,
                "other",
                json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 6502}]}),
                "443",
            );
        }),
        // UDP, another workload, no selector.
        ("opaque-ports", |world| {
            annotate(
                world,
                "Pod",
                "web-1",
                "config.mesh.dev/opaque-ports",
                "9000",
            );
            let ports = json!([{"port": 8080}]);
            service(
                world,
                "udp",
                json!({"selector": {"app": "web"}, "ports": [{"port": 8080, "protocol": "UDP"}]}),
                "8080",
            );
            service(
                world,
                "other",
                json!({"selector": {"app": "db"}, "ports": ports}),
                "8080",
            );
            service(world, "manual", json!({ "ports": ports }), "8080");
        }),
    ]);
}

#[test]
fn replicas_of_a_workload_make_one_line() {
    let mut world = World::well();
    opaque(&mut world, "9000", "80");
    let mut second = injected(&unmeshed_pod("web-2"));
    second["metadata"]["annotations"]["config.mesh.dev/opaque-ports"] = json!("9000");
    world.add(second);
    let crate::check::Problem::Wrong(lines) = super::opaque::agree(&world.snapshot()).unwrap_err()
    else {
        panic!("it was skipped");
    };
    assert_eq!(lines.len(), 1, "{lines:?}");
}
