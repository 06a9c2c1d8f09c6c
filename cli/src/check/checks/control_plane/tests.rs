use super::complaints;
use crate::check::snapshot::Answer;
use crate::check::tests::world::World;
use crate::check::tests::{Break, assert_broken};

pub(in crate::check) const BREAKS: &[Break] = &[
    (
        "control-plane-identity",
        "pod mesh/mesh-identity-1: the issuer has expired",
        |world| {
            answers(world, "identity", false, "the issuer has expired\n");
        },
    ),
    ("control-plane-destination", "stale: Pod since", |world| {
        answers(
            world,
            "destination",
            true,
            "ready\nstale: Pod since 2026-11-21T15:04:05Z: forbidden\n",
        );
    }),
    (
        "control-plane-injector",
        "port 9990: connection refused",
        |world| {
            world.component("injector").ready = Err("port 9990: connection refused".to_owned());
        },
    ),
    ("control-plane-clock", "its clock is 30 s ahead", |world| {
        ahead(world, 30)
    }),
    ("control-plane-clock", "its clock is 11 s behind", |world| {
        ahead(world, -11)
    }),
];

fn answers(world: &mut World, component: &str, ok: bool, text: &str) {
    world.component(component).ready = Ok(Answer {
        ok,
        text: text.to_owned(),
        ahead: Some(0),
    });
}

fn ahead(world: &mut World, seconds: i64) {
    if let Ok(answer) = &mut world.component("identity").ready {
        answer.ahead = Some(seconds);
    }
}

#[test]
fn what_its_processes_complain_about_is_told() {
    assert_broken(BREAKS);
}

#[test]
fn only_what_follows_ready_is_a_complaint() {
    assert_eq!(complaints(true, "ready\n"), None);
    assert_eq!(complaints(true, "ready\na\nb\n").as_deref(), Some("a\nb"));
    assert_eq!(
        complaints(false, "no issuer\n").as_deref(),
        Some("no issuer")
    );
}
