//! Every check, on a cluster in which all is well and on one in which something is not; and
//! the guide, which has a section for each.

use std::collections::BTreeSet;

use super::catalogue::{all, plan};
use super::guide::{HEADING, PAGES, explain};
use super::snapshot::Snapshot;
use super::{Check, Finding, Plan, Problem};

pub(super) mod world;

use world::World;

/// A check, what it has to say, and what makes it say so.
pub(super) type Break = (&'static str, &'static str, fn(&mut World));

fn check(id: &str) -> Check {
    let mut checks = all().flat_map(|category| category.checks);
    *checks
        .find(|check| check.id == id)
        .unwrap_or_else(|| panic!("there is no check {id}"))
}

fn look(id: &str, snapshot: &Snapshot) -> Finding {
    (check(id).look)(snapshot)
}

/// Each break makes its check fail, with these words.
#[track_caller]
pub(super) fn assert_broken(breaks: &[Break]) {
    for (id, told, how) in breaks {
        let mut world = World::well();
        how(&mut world);
        let found = look(id, &world.snapshot());
        let Err(Problem::Wrong(lines)) = &found else {
            panic!("{id}: {found:?}, where it should say {told:?}");
        };
        assert!(
            lines.iter().any(|line| line.contains(told)),
            "{id}: {lines:?} lacks {told:?}"
        );
    }
}

/// What is no reason for the check to fail.
#[track_caller]
pub(super) fn assert_fine(cases: &[(&str, fn(&mut World))]) {
    for (id, how) in cases {
        let mut world = World::well();
        how(&mut world);
        let found = look(id, &world.snapshot());
        assert!(!matches!(found, Err(Problem::Wrong(_))), "{id}: {found:?}");
    }
}

#[test]
fn where_all_is_well_nothing_is_wrong() {
    let mut skipped = BTreeSet::new();
    for category in plan(Plan::Proxies) {
        for check in category.checks {
            match look(check.id, &World::well().snapshot()) {
                Ok(()) => {}
                Err(Problem::Skipped(_)) => drop(skipped.insert(check.id)),
                Err(wrong) => panic!("{}: {wrong:?}", check.id),
            }
        }
    }
    let expected = BTreeSet::from(["ha-replicas", "ha-nodes", "ha-disruption"]);
    assert_eq!(skipped, expected, "only what is not there is not looked at");
}

#[test]
fn where_nothing_is_installed_an_install_may_begin() {
    let snapshot = World::bare().snapshot();
    for category in plan(Plan::Pre) {
        for check in category.checks {
            assert_eq!(look(check.id, &snapshot), Ok(()), "{}", check.id);
        }
    }
}

#[test]
fn every_check_has_a_break() {
    let broken: BTreeSet<_> = super::checks::breaks().map(|(id, ..)| id).collect();
    let checks: BTreeSet<_> = all()
        .flat_map(|category| category.checks)
        .map(|c| c.id)
        .collect();
    assert_eq!(checks, broken);
}

#[test]
fn ids_are_unique() {
    let ids: Vec<_> = all()
        .flat_map(|category| category.checks)
        .map(|c| c.id)
        .collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len());
}

#[test]
fn without_any_object_no_check_panics_or_fails_for_another_reason() {
    let world = World::well();
    let mut snapshot = Snapshot::empty(&world.scope, world.now);
    snapshot.version = Ok("v1.33.0".to_owned());
    for check in all().flat_map(|category| category.checks) {
        let found = (check.look)(&snapshot);
        assert!(
            !matches!(found, Err(Problem::Wrong(_))),
            "{}: {found:?}",
            check.id
        );
    }
}

#[test]
fn every_category_has_its_page_and_every_check_its_section() {
    let pages: Vec<_> = PAGES.iter().map(|(name, _)| *name).collect();
    let categories: Vec<_> = all().map(|category| category.name).collect();
    assert_eq!(pages, categories);
    for (category, (name, page)) in all().zip(PAGES) {
        let sections: Vec<_> = page.split(HEADING).skip(1).collect();
        let ids = sections.iter().filter_map(|section| section.lines().next());
        let checks = category.checks.iter().map(|check| check.id);
        assert!(
            ids.eq(checks),
            "docs/checks/{name}.md and its checks differ, or their order"
        );
        for section in sections {
            for part in [
                "- **Verifies**",
                "- **What breaks**",
                "- **See it**",
                "- **Repair**",
            ] {
                assert!(
                    section.contains(part),
                    "{name}.md lacks {part} in {section}"
                );
            }
            let warns = section.contains("- **Verifies** (warning)");
            let id = section.lines().next().unwrap();
            assert_eq!(warns, check(id).warns, "{id}");
        }
    }
}

#[test]
fn the_index_has_every_page() {
    let index = include_str!("../../../docs/checks/README.md");
    for (name, _) in PAGES {
        assert!(index.contains(&format!("[{name}]({name}.md)")), "{name}");
    }
}

#[test]
fn a_section_is_explained_by_its_id() {
    let section = explain("webhook-ca-bundle").unwrap();
    assert!(section.starts_with("webhook-ca-bundle\n") && section.contains("caBundle"));
    assert!(
        !section.contains("webhook-certificate\n"),
        "not the next one"
    );
    assert_eq!(explain("webhook"), None);
}
