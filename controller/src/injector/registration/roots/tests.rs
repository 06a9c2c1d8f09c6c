//! Replicas that come and go, and one bundle.

use super::*;
use mesh_identity::ca;
use std::time::SystemTime;

fn root() -> String {
    let made = ca::generate(&ca::Options::default(), SystemTime::now()).unwrap();
    made.root.pem().replace("\r\n", "\n")
}

fn now() -> Timestamp {
    "2026-11-21T17:00:00Z".parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

fn count(bundle: &str) -> usize {
    bundle.matches(BEGIN).count()
}

/// A replica looks, and writes if it would.
fn look(present: &mut Right, own: &str, now: Timestamp) -> bool {
    let text = present.claims.to_string();
    assert_eq!(Claims::parse(&text), present.claims, "{text}");
    let right = merge(&present.bundle, &present.claims, own, now);
    let writes = right != *present;
    *present = right;
    writes
}

fn nothing() -> Right {
    merge("", &Claims::default(), "", now())
}

#[test]
fn replicas_add_their_roots_and_then_leave_it_alone() {
    let (a, b) = (root(), root());
    let mut present = nothing();
    assert!(look(&mut present, &a, now()));
    assert_eq!(present.bundle, a);
    assert!(look(&mut present, &b, now()));
    assert_eq!(present.bundle, format!("{a}{b}"));
    for own in [&a, &b] {
        assert!(!look(&mut present, own, now() + minutes(9)));
    }
    // Then each says that it is still there.
    assert!(look(&mut present, &a, now() + minutes(11)));
    assert!(look(&mut present, &b, now() + minutes(11)));
    assert_eq!(present.bundle, format!("{a}{b}"));
}

#[test]
fn a_replica_that_is_gone_is_forgotten_after_an_hour() {
    let (lives, gone) = (root(), root());
    let mut present = nothing();
    look(&mut present, &gone, now());
    for minute in (0..60).step_by(5) {
        look(&mut present, &lives, now() + minutes(minute));
        assert_eq!(count(&present.bundle), 2, "after {minute} min");
    }
    assert!(look(&mut present, &lives, now() + minutes(60)));
    assert_eq!(present.bundle, lives);
    assert_eq!(present.claims.len(), 1);
}

#[test]
fn two_roots_of_one_replica_during_a_rotation() {
    let (old, new) = (root(), root());
    let mut present = nothing();
    look(&mut present, &old, now());
    assert!(look(&mut present, &format!("{old}{new}"), now()));
    assert_eq!(present.bundle, format!("{old}{new}"));
    // The old one is nobody's any more, but goes like that of a replica.
    look(&mut present, &new, now() + minutes(5));
    assert_eq!(count(&present.bundle), 2);
    look(&mut present, &new, now() + minutes(61));
    assert_eq!(present.bundle, new);
}

#[test]
fn restarts_do_not_make_it_grow_without_end_nor_push_out_who_lives() {
    let lives = root();
    let mut present = nothing();
    look(&mut present, &lives, now());
    for crash in 0..70 {
        look(
            &mut present,
            &root(),
            now() + SignedDuration::from_secs(crash),
        );
    }
    look(&mut present, &lives, now() + minutes(2));
    assert_eq!(count(&present.bundle), MOST + 1);
    assert!(present.bundle.contains(&lives));
    // Where its own claim was the oldest, and another pushed it out.
    assert!(!look(&mut present, &lives, now() + minutes(3)));
}

#[test]
fn wiped_and_strange_things_are_put_right() {
    let (a, b) = (root(), root());
    let mut present = nothing();
    look(&mut present, &a, now());
    look(&mut present, &b, now());
    // Somebody wipes the claims: all roots start anew.
    present.claims = Claims::parse("{]");
    look(&mut present, &b, now() + minutes(50));
    assert_eq!(present.bundle, format!("{a}{b}"));
    assert!(!look(&mut present, &b, now() + minutes(50)));
    look(&mut present, &b, now() + minutes(109));
    assert_eq!(count(&present.bundle), 2);
    // Somebody wipes the bundle, or writes nonsense into it.
    for strange in [
        "",
        "\n",
        "nonsense",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
    ] {
        strange.clone_into(&mut present.bundle);
        assert!(look(&mut present, &b, now() + minutes(109)));
        assert_eq!(present.bundle, b);
    }
}

#[test]
fn a_claim_from_the_future_is_no_claim() {
    let (a, wrong) = (root(), root());
    let mut present = nothing();
    look(&mut present, &wrong, now() + minutes(60 * 24 * 365));
    look(&mut present, &a, now());
    assert_eq!(count(&present.bundle), 2);
    look(&mut present, &a, now() + minutes(61));
    assert_eq!(present.bundle, a);
}
