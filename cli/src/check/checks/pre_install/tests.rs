use super::*;
use crate::check::tests::world::World;
use crate::check::tests::{Break, assert_broken};
use serde_json::json;

pub(in crate::check) const BREAKS: &[Break] = &[
    ("pre-namespace", "namespace mesh exists", |_| {}),
    (
        "pre-leftovers",
        "MutatingWebhookConfiguration mesh-injector is of a control plane in namespace mesh",
        |_| {},
    ),
    (
        "pre-leftovers",
        "ClusterRole mesh-mesh-identity exists",
        |_| {},
    ),
    (
        "pre-create-cluster",
        "may not create clusterroles",
        |world| {
            world.rights[0].allowed = false;
        },
    ),
    (
        "pre-create",
        "may not create deployments.apps in mesh",
        |world| {
            world.rights[1].allowed = false;
        },
    ),
    ("pre-clock", "node node-1 is 60 s ahead", |world| {
        renewed(world, -60)
    }),
    ("pre-clock", "node node-1 is up to 60 s behind", |world| {
        renewed(world, 60)
    }),
];

/// The node's lease was renewed so many seconds ago.
fn renewed(world: &mut World, ago: i64) {
    let time = world.now - SignedDuration::from_secs(ago);
    let time = time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    world.edit("Lease", "node-1", |lease| {
        lease["spec"]["renewTime"] = json!(time)
    });
}

#[test]
fn what_is_in_the_way_is_named() {
    assert_broken(BREAKS);
}

#[test]
fn rights_are_told_apart() {
    let mut world = World::bare();
    world.rights[0].allowed = false;
    assert_eq!(create_in_namespace(&world.snapshot()), Ok(()));
}

#[test]
fn a_node_that_is_gone_has_no_clock() {
    let mut world = World::bare();
    for ago in [-15, 0, 25, 301, 86_400] {
        renewed(&mut world, ago);
        assert_eq!(clocks(&world.snapshot()), Ok(()), "{ago} s");
    }
}
