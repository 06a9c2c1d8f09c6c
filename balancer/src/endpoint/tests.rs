use super::*;
use crate::{Balancer, Config};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A balancer whose services are numbered in the order in which they are made.
#[derive(Default)]
struct Fixture {
    balancer: Option<Balancer<u8, u32>>,
    made: u32,
}

impl Fixture {
    fn update(&mut self, update: Update<u8, u8>) -> BTreeMap<u8, u32> {
        let made = &mut self.made;
        let balancer = self
            .balancer
            .get_or_insert_with(|| Balancer::new(Config::default()));
        balancer.update(update, |_, _, _| {
            *made += 1;
            *made
        });
        self.services()
    }

    fn services(&self) -> BTreeMap<u8, u32> {
        let set = self.balancer.as_ref().map(Balancer::set);
        set.iter()
            .flat_map(|set| &set.endpoints)
            .map(|endpoint| (endpoint.key, endpoint.service))
            .collect()
    }
}

fn target(key: u8, meta: u8, weight: f32) -> Target<u8, u8> {
    Target { key, weight, meta }
}

#[test]
fn unchanged_endpoints_keep_their_service() {
    let mut fixture = Fixture::default();
    fixture.update(Update::Reset(vec![target(1, 0, 1.0), target(2, 0, 1.0)]));
    let after = fixture.update(Update::Reset(vec![target(3, 0, 1.0), target(2, 0, 1.0)]));
    assert_eq!(after, BTreeMap::from([(2, 2), (3, 3)]));
}

#[test]
fn weight_alone_keeps_the_service_and_metadata_does_not() {
    let mut fixture = Fixture::default();
    fixture.update(Update::Add(vec![target(1, 0, 1.0), target(2, 0, 1.0)]));
    let after = fixture.update(Update::Add(vec![target(1, 0, 0.5), target(2, 9, 1.0)]));
    assert_eq!(after, BTreeMap::from([(1, 1), (2, 3)]));
    let set = fixture.balancer.unwrap().set();
    assert_eq!(set.endpoints[0].weight(), 0.5);
    assert_eq!(set.cumulative, Some(vec![0.5, 1.5]));
}

#[test]
fn empty_removes_all_and_tells_whether_the_service_exists() {
    let mut fixture = Fixture::default();
    fixture.update(Update::Add(vec![target(1, 0, 1.0)]));
    assert!(fixture.update(Update::Empty { exists: false }).is_empty());
    assert!(!fixture.balancer.as_ref().unwrap().exists());
    fixture.update(Update::Add(vec![target(1, 0, 1.0)]));
    assert!(fixture.balancer.as_ref().unwrap().exists());
}

#[test]
fn nonsense_weights_become_the_smallest() {
    let mut fixture = Fixture::default();
    let weights = [0.0, -1.0, f32::NAN, f32::INFINITY];
    fixture.update(Update::Reset(
        (0..)
            .zip(weights)
            .map(|(key, weight)| target(key, 0, weight))
            .collect(),
    ));
    let set = fixture.balancer.unwrap().set();
    let weights: Vec<_> = set
        .endpoints
        .iter()
        .map(|endpoint| endpoint.weight())
        .collect();
    assert_eq!(weights, [1e-4, 1e-4, 1e-4, 1e4]);
}

#[test]
fn ready_count_follows_gates_and_membership() {
    let balancer = Balancer::<u8, Gate>::new(Config::default());
    let make = |_: &u8, _: &u8, gate: Gate| gate;
    balancer.update(
        Update::Reset(vec![target(1, 0, 1.0), target(2, 0, 1.0)]),
        make,
    );
    assert_eq!(balancer.ready_len(), 2);
    let gate = balancer.set().endpoints[0].service.clone();
    gate.shut();
    gate.shut();
    assert_eq!(balancer.ready_len(), 1);
    balancer.update(Update::Remove::<u8, u8>(vec![1]), make);
    gate.open();
    gate.shut();
    assert_eq!(
        (balancer.len(), balancer.ready_len()),
        (1, 1),
        "a removed endpoint's gate counts no more"
    );
}

#[test]
fn endpoint_made_with_a_shut_gate_is_not_ready() {
    let balancer = Balancer::<u8, ()>::new(Config::default());
    balancer.update(Update::Add(vec![target(1, 0, 1.0)]), |_, _, gate| {
        gate.shut()
    });
    assert_eq!((balancer.len(), balancer.ready_len()), (1, 0));
}

fn any_update() -> impl Strategy<Value = Update<u8, u8>> {
    let target =
        (0..6u8, 0..3u8, 1..4u8).prop_map(|(key, meta, weight)| target(key, meta, weight.into()));
    let targets = prop::collection::vec(target, 0..6);
    prop_oneof![
        targets.clone().prop_map(Update::Reset),
        targets.prop_map(Update::Add),
        prop::collection::vec(0..6u8, 0..4).prop_map(Update::Remove),
        any::<bool>().prop_map(|exists| Update::Empty { exists }),
    ]
}

/// What a set is, by definition: key to metadata and weight.
fn apply(model: &mut BTreeMap<u8, (u8, f32)>, update: &Update<u8, u8>) {
    match update {
        Update::Reset(targets) => {
            *model = targets
                .iter()
                .map(|t| (t.key, (t.meta, t.weight)))
                .collect()
        }
        Update::Add(targets) => model.extend(targets.iter().map(|t| (t.key, (t.meta, t.weight)))),
        Update::Remove(keys) => model.retain(|key, _| !keys.contains(key)),
        Update::Empty { .. } => model.clear(),
    }
}

proptest! {
    /// Any series of updates ends in the set it describes, and an endpoint keeps its service over an update if
    /// neither the update's first nor last word on it changes the metadata.
    #[test]
    fn updates_reach_the_described_set(updates in prop::collection::vec(any_update(), 1..20)) {
        let mut fixture = Fixture::default();
        let mut model = BTreeMap::new();
        for update in updates {
            let (services, known) = (fixture.services(), model.clone());
            apply(&mut model, &update);
            let single_word = |key: &u8| match &update {
                Update::Reset(targets) | Update::Add(targets) => targets.iter().filter(|t| t.key == *key).count() <= 1,
                _ => true,
            };
            let after = fixture.update(update.clone());

            let set = fixture.balancer.as_ref().unwrap().set();
            let described = set.endpoints.iter().map(|e| (e.key, (*e.meta::<u8>().unwrap(), e.weight()))).collect();
            prop_assert_eq!(&model, &described);
            prop_assert_eq!(set.endpoints.len(), model.len(), "no endpoint is there twice");
            prop_assert_eq!(fixture.balancer.as_ref().unwrap().ready_len(), model.len());
            for (key, (meta, _)) in &model {
                let same_meta = known.get(key).is_some_and(|(before, _)| before == meta);
                if single_word(key) {
                    prop_assert_eq!(same_meta, services.get(key) == after.get(key), "endpoint {}", key);
                }
            }
        }
    }
}
