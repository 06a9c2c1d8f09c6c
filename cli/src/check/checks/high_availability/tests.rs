use crate::check::tests::world::World;
use crate::check::tests::{Break, assert_broken, assert_fine};
use serde_json::json;

pub(in crate::check) const BREAKS: &[Break] = &[
    ("ha-replicas", "mesh-identity has 1 ready", |world| {
        installed(world)
    }),
    (
        "ha-nodes",
        "all 2 pods of mesh-identity are on node node-1",
        |world| {
            installed(world);
            world.add(json!({"kind": "Node", "metadata": {"name": "node-2"}}));
            world.replicas("identity", &["node-1", "node-1"]);
        },
    ),
    (
        "ha-disruption",
        "there is no PodDisruptionBudget mesh-injector",
        |world| installed(world),
    ),
];

fn installed(world: &mut World) {
    world.values("highAvailability: true");
}

#[test]
fn what_a_lost_node_would_take_along_is_named() {
    assert_broken(BREAKS);
}

#[test]
fn two_on_two_nodes_are_enough() {
    assert_fine(&[
        ("ha-nodes", |world| {
            installed(world);
            world.add(json!({"kind": "Node", "metadata": {"name": "node-2"}}));
            world.replicas("identity", &["node-1", "node-2"]);
        }),
        ("ha-replicas", |world| {
            installed(world);
            for component in ["identity", "destination", "injector"] {
                world.replicas(component, &["node-1", "node-2"]);
            }
        }),
        ("ha-nodes", installed),
    ]);
}
