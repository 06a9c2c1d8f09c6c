use super::*;
use crate::check::tests::world::World;
use std::collections::VecDeque;

/// Clusters, one after the other; the last one stays.
struct Changing(VecDeque<Snapshot>);

impl Changing {
    fn of(versions: &[&str]) -> Self {
        let snapshot = |version: &&str| {
            let mut world = World::bare();
            world.version = (*version).to_owned();
            world.snapshot()
        };
        Self(versions.iter().map(snapshot).collect())
    }
}

impl Observe for Changing {
    async fn look(&mut self) -> Snapshot {
        match self.0.len() {
            1 => self.0[0].clone(),
            _ => self.0.pop_front().unwrap(),
        }
    }
}

/// What was told, a line each.
#[derive(Default)]
struct Told(Vec<String>);

impl Listen for Told {
    fn reading(&mut self) {
        self.0.push("reading".to_owned());
    }

    fn category(&mut self, name: &'static str) {
        self.0.push(format!("category {name}"));
    }

    fn waiting(&mut self, check: &Check, problem: &Problem, left: Duration) {
        let why = problem.lines().join(",");
        self.0.push(format!("waiting {} {why} {left:?}", check.id));
    }

    fn ended(&mut self, outcome: &Outcome) {
        let Outcome {
            check,
            level,
            lines,
            ..
        } = outcome;
        self.0
            .push(format!("{} {level:?} {}", check.id, lines.join(",")));
    }
}

/// Whether the cluster's version is `good`.
fn good(snapshot: &Snapshot) -> Finding {
    match snapshot.version.as_deref() {
        Ok("good") => Ok(()),
        Ok(other) => Err(Problem::one(other)),
        Err(_) => Err(Problem::skipped("unknown")),
    }
}

fn skips(_: &Snapshot) -> Finding {
    Err(Problem::skipped("no nodes"))
}

async fn ran(checks: &'static [Check], versions: &[&str], wait: u64) -> (Vec<String>, Summary) {
    let plan = [Category {
        name: "test",
        checks,
    }];
    let mut told = Told::default();
    let mut clusters = Changing::of(versions);
    let summary = run(&plan, &mut clusters, Duration::from_secs(wait), &mut told).await;
    (told.0, summary)
}

#[tokio::test(start_paused = true)]
async fn what_may_come_right_is_looked_at_again() {
    const CHECKS: &[Check] = &[
        Check::new("a", "", good).retried(),
        Check::new("b", "", good),
    ];
    let started = Instant::now();
    let (told, summary) = ran(CHECKS, &["bad", "worse", "good"], 300).await;
    assert_eq!(
        told,
        [
            "reading",
            "category test",
            "waiting a bad 300s",
            "waiting a worse 295s",
            "a Passed ",
            "b Passed "
        ]
    );
    assert_eq!(started.elapsed(), 2 * PAUSE);
    assert_eq!(
        summary,
        Summary {
            passed: 2,
            ..Summary::default()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_is_that_of_all_checks_together() {
    const CHECKS: &[Check] = &[
        Check::new("a", "", good).retried(),
        Check::new("b", "", good).retried(),
    ];
    let started = Instant::now();
    let (told, summary) = ran(CHECKS, &["bad"], 12).await;
    let waiting = told
        .iter()
        .filter(|line| line.starts_with("waiting"))
        .count();
    assert_eq!(waiting, 2, "{told:?}");
    assert_eq!(
        started.elapsed(),
        2 * PAUSE,
        "and no pause that ends too late"
    );
    assert_eq!(summary.failed, 2);
}

#[tokio::test(start_paused = true)]
async fn without_time_each_is_looked_at_once() {
    const CHECKS: &[Check] = &[Check::new("a", "", good).retried().warns()];
    let (told, summary) = ran(CHECKS, &["bad", "good"], 0).await;
    assert_eq!(told[2..], ["a Warning bad"]);
    assert_eq!(summary.level(), Level::Warning);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_retried_fails_at_once_and_a_skipped_check_is_not_waited_for() {
    const CHECKS: &[Check] = &[
        Check::new("a", "", good),
        Check::new("b", "", skips).retried(),
    ];
    let (told, summary) = ran(CHECKS, &["bad", "good"], 300).await;
    assert_eq!(told[2..], ["a Failed bad", "b Skipped no nodes"]);
    assert_eq!(
        (summary.failed, summary.skipped, summary.cut_short),
        (1, 1, false)
    );
}

#[tokio::test(start_paused = true)]
async fn a_fatal_failure_ends_the_run() {
    const CHECKS: &[Check] = &[Check::new("a", "", good).fatal(), Check::new("b", "", good)];
    let (told, summary) = ran(CHECKS, &["bad"], 300).await;
    assert_eq!(told[2..], ["a Failed bad"]);
    assert!(summary.cut_short);
}
