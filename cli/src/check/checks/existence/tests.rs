use crate::check::tests::{Break, assert_broken, assert_fine};
use serde_json::json;

pub(in crate::check) const BREAKS: &[Break] = &[
    ("mesh-namespace", "there is no namespace mesh", |world| {
        world.remove("Namespace", "mesh");
    }),
    ("mesh-namespace", "is being deleted", |world| {
        world.edit("Namespace", "mesh", |namespace| {
            namespace["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
        });
    }),
    (
        "mesh-namespace-labels",
        "is-control-plane=true is missing",
        |world| {
            world.edit("Namespace", "mesh", |namespace| {
                namespace["metadata"]["labels"] = json!({})
            });
        },
    ),
    (
        "mesh-config",
        "there is no ConfigMap mesh-config",
        |world| {
            world.remove("ConfigMap", "mesh-config");
        },
    ),
    ("mesh-config", "has no values.yaml", |world| {
        world.edit("ConfigMap", "mesh-config", |config| {
            config["data"] = json!({})
        });
    }),
    ("mesh-config", "unknown field `trust`", |world| {
        world.edit("ConfigMap", "mesh-config", |config| {
            config["data"]["values.yaml"] = json!("trust: everybody");
        });
    }),
    (
        "mesh-service-accounts",
        "there is no ServiceAccount mesh-identity",
        |world| {
            world.remove("ServiceAccount", "mesh-identity");
        },
    ),
    (
        "mesh-cluster-roles",
        "there is no ClusterRole mesh-mesh-destination",
        |world| {
            world.remove("ClusterRole", "mesh-mesh-destination");
        },
    ),
    (
        "mesh-cluster-roles",
        "mesh-mesh-identity lacks the verbs create on tokenreviews",
        |world| {
            world.edit("ClusterRole", "mesh-mesh-identity", |role| {
                role["rules"] = json!([])
            });
        },
    ),
    (
        "mesh-cluster-role-bindings",
        "there is no ClusterRoleBinding",
        |world| {
            world.remove("ClusterRoleBinding", "mesh-mesh-injector");
        },
    ),
    (
        "mesh-cluster-role-bindings",
        "binds another role, or somebody else",
        |world| {
            world.edit("ClusterRoleBinding", "mesh-mesh-injector", |binding| {
                binding["subjects"][0]["name"] = json!("default");
            });
        },
    ),
    (
        "mesh-webhook-configuration",
        "pods get no proxies",
        |world| {
            world.remove("MutatingWebhookConfiguration", "mesh-injector");
        },
    ),
    (
        "mesh-deployments",
        "there is no Deployment mesh-injector",
        |world| {
            world.remove("Deployment", "mesh-injector");
        },
    ),
    (
        "mesh-deployments",
        "mesh-injector is scaled to 0",
        |world| {
            world.edit("Deployment", "mesh-injector", |deployment| {
                deployment["spec"]["replicas"] = json!(0)
            });
        },
    ),
    (
        "mesh-replica-sets",
        "mesh-identity: exceeded quota",
        |world| {
            world.edit("ReplicaSet", "mesh-identity", |set| {
                set["status"] = json!({"replicas": 0, "conditions": [
                {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}]});
            });
        },
    ),
    (
        "mesh-unschedulable",
        "pod mesh/mesh-identity-1: 0/1 nodes are available",
        |world| {
            world.edit("Pod", "mesh-identity-1", |pod| {
            pod["status"] = json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]});
        });
        },
    ),
    (
        "mesh-pods-ready",
        "there is no pod of mesh-injector",
        |world| {
            world.remove("Pod", "mesh-injector-1");
        },
    ),
    (
        "mesh-pods-ready",
        "container mesh-identity waits, ImagePullBackOff: no such image",
        |world| {
            world.edit("Pod", "mesh-identity-1", |pod| {
                pod["status"]["conditions"] = json!([]);
                let waiting = json!({"reason": "ImagePullBackOff", "message": "no such image"});
                pod["status"]["containerStatuses"][0]["state"] = json!({ "waiting": waiting });
            });
        },
    ),
    ("mesh-pods-ready", "it is running, but not ready", |world| {
        world.edit("Pod", "mesh-identity-1", |pod| {
            pod["status"]["conditions"] = json!([])
        });
    }),
    (
        "mesh-pods-ready",
        "ended with status 1: no issuer",
        |world| {
            world.edit("Pod", "mesh-identity-1", |pod| {
                pod["status"]["conditions"] = json!([]);
                let ended = json!({"exitCode": 1, "message": "no issuer"});
                pod["status"]["containerStatuses"][0]["state"] = json!({ "terminated": ended });
            });
        },
    ),
    (
        "mesh-services",
        "there is no Service mesh-policy",
        |world| {
            world.remove("Service", "mesh-policy");
        },
    ),
    (
        "mesh-endpoints",
        "Service mesh-dst-headless has no ready endpoint",
        |world| {
            world.remove("EndpointSlice", "mesh-dst-headless");
        },
    ),
    (
        "mesh-endpoints",
        "Service mesh-policy has no ready endpoint",
        |world| {
            world.edit("EndpointSlice", "mesh-policy", |slice| {
                slice["endpoints"][0]["conditions"]["ready"] = json!(false);
            });
        },
    ),
];

#[test]
fn what_is_missing_is_named() {
    assert_broken(BREAKS);
}

#[test]
fn rollouts_and_other_namespaces_are_no_failure() {
    assert_fine(&[
        ("mesh-pods-ready", |world| {
            let mut old = world
                .objects
                .iter()
                .find(|object| object["metadata"]["name"] == "mesh-identity-1")
                .unwrap()
                .clone();
            old["metadata"]["name"] = json!("mesh-identity-0");
            old["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
            old["status"]["conditions"] = json!([]);
            world.add(old);
        }),
        ("mesh-replica-sets", |world| {
            world.add(json!({"kind": "ReplicaSet", "metadata": {"name": "web", "namespace": "shop"},
                "status": {"replicas": 0, "conditions": [{"type": "ReplicaFailure", "status": "True"}]}}));
        }),
        ("mesh-cluster-roles", |world| {
            // Of another version, which may need less.
            world.edit("ConfigMap", "mesh-config", |config| {
                config["metadata"]["labels"]["app.kubernetes.io/version"] = json!("0.0.1");
            });
            world.edit("ClusterRole", "mesh-mesh-identity", |role| {
                role["rules"] = json!([])
            });
        }),
    ]);
}
