use super::*;
use crate::check::tests::world::World;
use crate::check::tests::{Break, assert_broken};

/// What is behind the first, second and fourth of these has no objects, and is tested below.
pub(in crate::check) const BREAKS: &[Break] = &[
    ("k8s-version", "it is v1.28.9", |world| {
        world.version = "v1.28.9".to_owned()
    }),
    ("k8s-version", "calls itself 1.33", |world| {
        world.version = "1.33".to_owned()
    }),
    ("k8s-client", "", |_| {}),
    ("k8s-api", "", |_| {}),
    ("k8s-access", "", |_| {}),
];

#[test]
fn old_clusters_are_named() {
    assert_broken(&BREAKS[..2]);
}

#[test]
fn versions_of_distributions_are_understood() {
    for (text, version) in [
        ("v1.33.2", Some((1, 33))),
        ("v1.29+", Some((1, 29))),
        ("v1.30.4-gke.1348000", Some((1, 30))),
        ("v2.0.0", Some((2, 0))),
        ("v1", None),
        ("", None),
    ] {
        assert_eq!(parse(text), version, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_told_once_and_skips_the_rest() {
    let mut snapshot = World::well().snapshot();
    let refused = Unread::Failed {
        resource: "pods",
        why: "pods is forbidden; allow the verb list".to_owned(),
    };
    snapshot.objects.pods = Err(refused);
    let told = access(&snapshot);
    let line = "pods: pods is forbidden; allow the verb list";
    assert_eq!(told, Err(Problem::one(line)));
    let mut checks = crate::check::catalogue::all().flat_map(|category| category.checks);
    let ready = checks.find(|check| check.id == "mesh-pods-ready").unwrap();
    let skipped = Problem::skipped("pods can't be read, see k8s-access");
    assert_eq!((ready.look)(&snapshot), Err(skipped));
}

#[test]
fn an_api_server_that_is_away_is_told_as_it_was() {
    let world = World::well();
    let mut snapshot = Snapshot::empty(&world.scope, world.now);
    snapshot.version = Err(Unread::Failed {
        resource: "the version",
        why: "can't reach it".to_owned(),
    });
    assert_eq!(api(&snapshot), Err(Problem::one("can't reach it")));
    let without = Snapshot::without_client(&world.scope, "no kubeconfig");
    assert_eq!(client(&without), Err(Problem::one("no kubeconfig")));
    assert_eq!(api(&without), Ok(()), "that is told by the other");
}
