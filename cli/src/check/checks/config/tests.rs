use crate::check::tests::{Break, assert_broken, assert_fine};
use serde_json::json;

pub(in crate::check) const BREAKS: &[Break] = &[
    ("config-values", "clusterNetworks", |world| {
        world.values("clusterNetworks: everywhere")
    }),
    (
        "config-values",
        "they are for other, but lie in mesh",
        |world| world.values("namespace: other"),
    ),
    (
        "config-proxy-defaults",
        "has no proxy-defaults.yaml",
        |world| {
            world.edit("ConfigMap", "mesh-config", |config| {
                config["data"]
                    .as_object_mut()
                    .unwrap()
                    .remove("proxy-defaults.yaml");
            });
        },
    ),
    ("config-proxy-defaults", "proxy-cpu-limit", |world| {
        world.edit("ConfigMap", "mesh-config", |config| {
            config["data"]["proxy-defaults.yaml"] = json!("proxy-cpu-limit: lots");
        });
    }),
    (
        "config-proxy-defaults-match",
        "proxy-uid: proxy-defaults.yaml says \"1\", the values say nothing",
        |world| {
            world.edit("ConfigMap", "mesh-config", |config| {
                let text = config["data"]["proxy-defaults.yaml"].as_str().unwrap();
                config["data"]["proxy-defaults.yaml"] = json!(format!("{text}proxy-uid: \"1\"\n"));
            });
        },
    ),
    (
        "config-networks-nodes",
        "node node-1: 172.99.0.0/24 is not in 10.0.0.0/8",
        |world| {
            world.edit("Node", "node-1", |node| {
                node["spec"]["podCIDRs"] = json!(["10.1.0.0/24", "172.99.0.0/24"])
            });
        },
    ),
    ("config-networks-nodes", "10.0.0.0/7 is not in", |world| {
        world.edit("Node", "node-1", |node| {
            node["spec"]["podCIDRs"] = json!(["10.0.0.0/7"])
        });
    }),
    (
        "config-networks-pods",
        "pod shop/web-1: 8.8.8.8 is not in",
        |world| {
            world.edit("Pod", "web-1", |pod| {
                pod["status"]["podIPs"] = json!([{"ip": "8.8.8.8"}])
            });
        },
    ),
    (
        "config-networks-services",
        "Service shop/web: fe80::1 is not in",
        |world| {
            world.edit("Service", "web", |service| {
                service["spec"]["clusterIPs"] = json!(["10.96.0.7", "fe80::1"])
            });
        },
    ),
];

#[test]
fn what_does_not_fit_is_named() {
    assert_broken(BREAKS);
}

#[test]
fn addresses_of_nodes_are_no_concern() {
    assert_fine(&[
        ("config-networks-pods", |world| {
            world.edit("Pod", "web-1", |pod| {
                pod["spec"]["hostNetwork"] = json!(true);
                pod["status"]["podIPs"] = json!([{"ip": "8.8.8.8"}]);
            });
        }),
        ("config-networks-pods", |world| {
            world.edit("Pod", "web-1", |pod| {
                pod["status"]["phase"] = json!("Succeeded");
                pod["status"]["podIPs"] = json!([{"ip": "8.8.8.8"}]);
            });
        }),
        ("config-networks-services", |world| {
            world.edit("Service", "web", |service| {
                service["spec"]["clusterIP"] = json!("None")
            });
        }),
        ("config-networks-nodes", |world| {
            world.edit("Node", "node-1", |node| node["spec"] = json!({}));
        }),
    ]);
}
