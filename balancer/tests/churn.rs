//! Endpoints come and go every second while requests run: none is lost.

mod common;

use common::{Fixture, Readiness, settle, target};
use mesh_balancer::Update;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{collections::BTreeSet, time::Duration};
use tower_service::Service;

/// 60 s at 1000 requests/s over 5 of 12 endpoints that are replaced each second, some while they refuse connections.
#[tokio::test(start_paused = true)]
async fn no_request_is_lost_while_endpoints_come_and_go() {
    let fixture = Fixture::new(5, 1000);
    let mut rng = SmallRng::seed_from_u64(11);
    let mut requests = Vec::new();
    for second in 0..60 {
        for _ in 0..1000 {
            let request = u32::try_from(requests.len()).unwrap();
            requests.push(tokio::spawn(fixture.balance.clone().call(request)));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        churn(&fixture, second, &mut rng);
    }
    let mut answered = BTreeSet::new();
    for request in requests {
        answered.insert(request.await.unwrap().unwrap());
    }
    assert_eq!(answered.len(), 60_000);
    settle().await;
    assert_eq!(fixture.pending(), 0);
}

fn churn(fixture: &Fixture, second: u32, rng: &mut SmallRng) {
    let listed: Vec<_> = (0..12).filter(|key| (key + second) % 12 < 5).collect();
    if second.is_multiple_of(2) {
        fixture.update(Update::Reset(listed.iter().copied().map(target).collect()));
    } else {
        fixture.update(Update::Add(listed.iter().copied().map(target).collect()));
        fixture.update(Update::Remove(
            (0..12).filter(|key| !listed.contains(key)).collect(),
        ));
    }
    // One endpoint refuses connections; its client shuts the gate when it notices. Those of before are back.
    for key in &listed {
        let backend = fixture.backend(*key);
        backend.set(|state| state.readiness = Readiness::Ready);
        backend.gate.open();
    }
    let unlucky = listed[rng.random_range(0..listed.len())];
    fixture
        .backend(unlucky)
        .set(|state| state.readiness = Readiness::FailsAndShuts);
}

/// The service has no endpoints at all for a second: requests wait for the next ones.
#[tokio::test(start_paused = true)]
async fn requests_outlive_a_gap_without_endpoints() {
    let fixture = Fixture::new(2, 1000);
    let mut requests = Vec::new();
    for millis in 0..3000 {
        match millis {
            1000 => fixture.update(Update::Empty { exists: true }),
            1900 => fixture.update(Update::Add(vec![target(8), target(9)])),
            _ => {}
        }
        requests.push(tokio::spawn(fixture.balance.clone().call(millis)));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (request, sent) in requests.into_iter().zip(0..) {
        assert_eq!(request.await.unwrap().unwrap(), sent);
    }
}
