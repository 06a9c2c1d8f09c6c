//! The whole service: dispatch, readiness, the queue and failfast, on a paused clock.

mod common;

use common::{Event, Fixture, Readiness, Refused, TIMEOUT, settle, target};
use mesh_balancer::{
    Balance, BalanceError, Balancer, Config, OnResponse, QueueConfig, QueueError, Target, Update,
    UpdateKind,
};
use std::time::Duration;
use tokio::time::Instant;
use tower_service::Service;

const SECOND: Duration = Duration::from_secs(1);

fn spawn(
    fixture: &Fixture,
    request: u32,
) -> tokio::task::JoinHandle<Result<u32, BalanceError<Refused>>> {
    tokio::spawn(fixture.balance.clone().call(request))
}

fn queue_error(result: Result<u32, BalanceError<Refused>>) -> QueueError {
    match result {
        Err(BalanceError::Queue(error)) => error,
        other => panic!("{other:?} instead of an error of the queue"),
    }
}

#[tokio::test(start_paused = true)]
async fn ready_endpoints_answer_without_queueing() {
    let fixture = Fixture::new(3, 0);
    for request in 0..100 {
        assert_eq!(fixture.balance.send(request).await.unwrap(), request);
    }
    assert_eq!(fixture.pending(), 0);
    let events = fixture.events.take();
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Queue(_) | Event::FailFast(_))),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn request_is_picked_for_again_when_an_endpoint_fails_to_become_ready() {
    let fixture = Fixture::new(4, 10);
    (0..3).for_each(|key| {
        fixture
            .backend(key)
            .set(|state| state.readiness = Readiness::FailsAndShuts)
    });
    for request in 0..20 {
        assert_eq!(fixture.balance.send(request).await.unwrap(), request);
    }
    assert_eq!(fixture.backend(3).served(), (0..20).collect::<Vec<_>>());
    let attempts: u32 = (0..3).map(|key| fixture.backend(key).attempts()).sum();
    assert!(
        attempts <= 3,
        "each failing endpoint is tried once: {attempts}"
    );
}

#[tokio::test(start_paused = true)]
async fn request_that_comes_back_unsent_is_sent_elsewhere() {
    let fixture = Fixture::new(4, 10);
    for key in 0..3 {
        fixture
            .backend(key)
            .set(|state| state.readiness = Readiness::GivesBack);
    }
    for request in 0..20 {
        assert_eq!(fixture.balance.send(request).await.unwrap(), request);
    }
    assert_eq!(fixture.backend(3).served(), (0..20).collect::<Vec<_>>());
    assert_eq!(fixture.pending(), 0);
    // Their gates are shut, so nothing was held against them.
    let now = Instant::now();
    let load = |key: usize| fixture.balance.balancer().snapshot(now)[key].load;
    assert!((0..3).all(|key| load(key) <= Duration::from_millis(30)));
}

#[tokio::test(start_paused = true)]
async fn endpoint_lost_in_the_middle_of_a_long_wait_does_not_end_it() {
    let fixture = Fixture::new(1, 10);
    let backend = fixture.backend(0);
    // Longer than the failfast timeout until the endpoint refuses: the request has not waited for one yet.
    backend.set(|state| state.readiness = Readiness::Never);
    let request = spawn(&fixture, 1);
    tokio::time::sleep(TIMEOUT + SECOND).await;
    backend.set(|state| state.readiness = Readiness::FailsAndShuts);
    backend.wake();
    settle().await;
    assert!(!request.is_finished());
    backend.set(|state| state.readiness = Readiness::Ready);
    backend.gate.open();
    assert_eq!(request.await.unwrap().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn request_waits_when_the_last_endpoint_fails_and_is_not_lost() {
    let fixture = Fixture::new(1, 10);
    let backend = fixture.backend(0);
    backend.set(|state| state.readiness = Readiness::FailsAndShuts);
    let request = spawn(&fixture, 7);
    tokio::time::sleep(2 * SECOND).await;
    assert!(!request.is_finished());
    assert_eq!(backend.attempts(), 1, "a shut endpoint is left alone");
    backend.set(|state| state.readiness = Readiness::Ready);
    backend.gate.open();
    assert_eq!(request.await.unwrap().unwrap(), 7);
    assert_eq!(backend.served(), [7]);
}

#[tokio::test(start_paused = true)]
async fn endpoint_that_fails_with_an_open_gate_makes_nobody_spin() {
    let fixture = Fixture::new(1, 10);
    let backend = fixture.backend(0);
    backend.set(|state| state.readiness = Readiness::Fails);
    let start = Instant::now();
    assert_eq!(
        queue_error(fixture.balance.send(1).await),
        QueueError::FailFast
    );
    assert!(start.elapsed() >= TIMEOUT && start.elapsed() < TIMEOUT + SECOND);
    assert!(backend.attempts() < 400, "{} attempts", backend.attempts());
    // It is the request that gave up, not the service.
    backend.set(|state| state.readiness = Readiness::Ready);
    fixture.balance.send(2).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn queue_is_served_in_order_of_arrival() {
    let fixture = Fixture::new(1, 50);
    let backend = fixture.backend(0);
    backend.gate.shut();
    let mut requests = Vec::new();
    for request in 0..50 {
        requests.push(spawn(&fixture, request));
        settle().await;
    }
    backend.gate.open();
    for request in requests {
        request.await.unwrap().unwrap();
    }
    assert_eq!(backend.served(), (0..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn newcomer_does_not_overtake_the_queue() {
    let fixture = Fixture::new(1, 10);
    let backend = fixture.backend(0);
    backend.gate.shut();
    let early = spawn(&fixture, 1);
    settle().await;
    // Polled before the waiting task has a chance to run.
    backend.gate.open();
    fixture.balance.send(2).await.unwrap();
    early.await.unwrap().unwrap();
    assert_eq!(backend.served(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn full_queue_is_empty_as_soon_as_an_endpoint_is_ready() {
    let fixture = Fixture::new(1, 20);
    let backend = fixture.backend(0);
    backend.gate.shut();
    let waiting: Vec<_> = (0..20).map(|request| spawn(&fixture, request)).collect();
    settle().await;
    backend.gate.open();
    // More than one comes in each turn of the runtime, and none is refused.
    let mut arriving = Vec::new();
    for turn in 1..=5 {
        arriving.extend((0..10).map(|request| spawn(&fixture, 100 * turn + request)));
        tokio::task::yield_now().await;
    }
    settle().await;
    let served = backend.served();
    assert_eq!(served.len(), 70);
    assert_eq!(served[..20], (0..20).collect::<Vec<_>>());
    for request in waiting.into_iter().chain(arriving) {
        request.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn full_queue_refuses_at_once() {
    let fixture = Fixture::new(1, 2);
    fixture.backend(0).gate.shut();
    let waiting = [spawn(&fixture, 1), spawn(&fixture, 2)];
    settle().await;
    let start = Instant::now();
    assert_eq!(queue_error(fixture.balance.send(3).await), QueueError::Full);
    assert_eq!(start.elapsed(), Duration::ZERO);
    fixture.backend(0).gate.open();
    for request in waiting {
        request.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn first_burst_waits_until_endpoints_are_told() {
    let fixture = Fixture::untold(2);
    let burst: Vec<_> = (0..50).map(|request| spawn(&fixture, request)).collect();
    settle().await;
    fixture.update(Update::Reset(vec![target(0)]));
    for request in burst {
        request.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn queue_is_bounded_once_there_are_no_endpoints() {
    let fixture = Fixture::untold(2);
    let burst: Vec<_> = (0..5).map(|request| spawn(&fixture, request)).collect();
    settle().await;
    fixture.update(Update::Empty { exists: true });
    assert_eq!(queue_error(fixture.balance.send(9).await), QueueError::Full);
    for request in burst {
        let failed = queue_error(request.await.unwrap());
        assert_eq!(failed, QueueError::FailFast);
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_request_gives_its_place_in_the_queue_up() {
    let fixture = Fixture::new(1, 2);
    fixture.backend(0).gate.shut();
    let (head, next) = (spawn(&fixture, 1), spawn(&fixture, 2));
    settle().await;
    head.abort();
    settle().await;
    let last = spawn(&fixture, 3);
    settle().await;
    fixture.backend(0).gate.open();
    assert_eq!(
        (next.await.unwrap().unwrap(), last.await.unwrap().unwrap()),
        (2, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn failfast_ends_the_wait_of_all_and_refuses_at_once_until_an_endpoint_is_ready() {
    let fixture = Fixture::new(1, 10);
    let backend = fixture.backend(0);
    backend.gate.shut();
    let start = Instant::now();
    let first = spawn(&fixture, 1);
    tokio::time::sleep(2 * SECOND).await;
    let second = spawn(&fixture, 2);
    assert_eq!(queue_error(first.await.unwrap()), QueueError::FailFast);
    assert_eq!(queue_error(second.await.unwrap()), QueueError::FailFast);
    // Timers have a grain of a millisecond.
    assert!((TIMEOUT..TIMEOUT + Duration::from_millis(5)).contains(&start.elapsed()));

    let late = Instant::now();
    assert_eq!(
        queue_error(fixture.balance.send(3).await),
        QueueError::FailFast
    );
    assert_eq!(late.elapsed(), Duration::ZERO);

    backend.gate.open();
    assert_eq!(fixture.balance.send(4).await.unwrap(), 4);
    backend.gate.shut();
    let waiting = spawn(&fixture, 5);
    tokio::time::sleep(2 * SECOND).await;
    assert!(
        !waiting.is_finished(),
        "out of failfast, requests wait again"
    );
}

#[tokio::test(start_paused = true)]
async fn request_waits_for_the_first_endpoint() {
    let fixture = Fixture::new(0, 10);
    let request = spawn(&fixture, 1);
    tokio::time::sleep(SECOND).await;
    fixture.update(Update::Add(vec![target(9)]));
    assert_eq!(request.await.unwrap().unwrap(), 1);
    assert_eq!(fixture.backend(9).served(), [1]);
}

#[tokio::test(start_paused = true)]
async fn cancelled_requests_release_their_load_wherever_they_are() {
    let fixture = Fixture::new(2, 10);
    let connecting = fixture.backend(0);
    connecting.set(|state| state.readiness = Readiness::Never);
    let requests: Vec<_> = (0..20).map(|request| spawn(&fixture, request)).collect();
    settle().await;
    assert_eq!(fixture.pending(), 20);
    assert!(connecting.attempts() > 0 && !fixture.backend(1).served().is_empty());
    requests.iter().for_each(|request| request.abort());
    settle().await;
    assert_eq!(fixture.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn d1_failing_endpoint_is_penalised_and_its_error_passed_on() {
    let fixture = Fixture::new(2, 10);
    fixture.backend(0).set(|state| state.fails = true);
    let mut failed = 0;
    for request in 0..100 {
        match fixture.balance.send(request).await {
            Ok(_) => {}
            Err(BalanceError::Service(_)) => failed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..=3).contains(&failed), "{failed} of 100 requests failed");
    assert_eq!(fixture.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn observer_hears_of_updates_gates_queue_and_failfast() {
    let fixture = Fixture::new(2, 10);
    assert_eq!(
        fixture.events.take(),
        [
            Event::Updated(UpdateKind::Reset, 2),
            Event::Ready(1),
            Event::Ready(2)
        ]
    );
    fixture.backend(0).gate.shut();
    fixture.update(Update::Remove(vec![1]));
    assert_eq!(
        fixture.events.take(),
        [
            Event::Gate(false),
            Event::Ready(1),
            Event::Updated(UpdateKind::Remove, 1),
            Event::Ready(0)
        ]
    );
    queue_error(fixture.balance.send(1).await);
    let events = fixture.events.take();
    let [queue @ .., Event::Queued(waited)] = &*events else {
        panic!("{events:?}");
    };
    assert_eq!(
        queue,
        [Event::Queue(1), Event::FailFast(true), Event::Queue(0)]
    );
    // Timers have a grain of a millisecond.
    assert!((TIMEOUT..TIMEOUT + Duration::from_millis(5)).contains(waited));
    fixture.backend(0).gate.open();
    fixture.balance.send(2).await.unwrap();
    assert_eq!(
        fixture.events.take(),
        [Event::Gate(true), Event::Ready(1), Event::FailFast(false)]
    );
}

/// With `tower_test`'s mock: a service that is not ready yet is waited for, and called exactly once.
#[tokio::test(start_paused = true)]
async fn service_is_called_once_it_is_ready() {
    let (mock, mut handle) = tower_test::mock::pair::<u32, u32>();
    let balancer = Balancer::new(Config::default());
    balancer.update(Update::Add(vec![Target::new("a", ())]), |_, (), _| {
        mock.clone()
    });
    let mut balance = Balance::new(balancer.clone(), QueueConfig::default(), OnResponse);
    handle.allow(0);
    let request = tokio::spawn(balance.call(5));
    settle().await;
    assert_eq!(
        balancer.snapshot(Instant::now())[0].pending,
        1,
        "a request that connects counts"
    );
    handle.allow(1);
    let (sent, response) = handle.next_request().await.unwrap();
    response.send_response(sent * 2);
    assert_eq!(request.await.unwrap().unwrap(), 10);
}
