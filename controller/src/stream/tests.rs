//! How a stream begins, goes on and ends.

use super::*;
use futures::{FutureExt, StreamExt};

fn limits() -> (Limits, watch::Sender<bool>) {
    let (down, shutdown) = watch::channel(false);
    (Limits { shutdown }, down)
}

fn numbers(limits: &Limits) -> (Updates<u32>, watch::Sender<u32>) {
    let (answers, watch) = watch::channel(0);
    (start(Rpc::Get, limits, watch, |n| Some(*n)), answers)
}

#[tokio::test]
async fn the_present_answer_comes_first() {
    let (limits, _down) = limits();
    let (mut updates, answers) = numbers(&limits);
    assert_eq!(updates.next().await, Some(0));
    answers.send_replace(7);
    assert_eq!(updates.next().await, Some(7));
}

#[tokio::test]
async fn a_client_that_has_not_read_is_told_the_latest() {
    let (limits, _down) = limits();
    let (mut updates, answers) = numbers(&limits);
    assert_eq!(updates.next().await, Some(0));
    for n in 1..=1000 {
        answers.send_replace(n);
    }
    assert_eq!(updates.next().await, Some(1000));
    assert!(
        updates.next().now_or_never().is_none(),
        "nothing else waits"
    );
}

#[tokio::test]
async fn all_messages_of_an_answer_are_told() {
    let (limits, _down) = limits();
    let (answers, watch) = watch::channel(2);
    let mut updates = start(Rpc::Get, &limits, watch, |n: &u32| 0..*n);
    assert_eq!(updates.next().await, Some(0));
    answers.send_replace(0);
    assert_eq!(updates.next().await, Some(1));
    assert!(updates.next().now_or_never().is_none());
    answers.send_replace(1);
    assert_eq!(updates.next().await, Some(0));
}

#[tokio::test]
async fn shutdown_ends_a_stream_well() {
    let (limits, down) = limits();
    let (updates, _answers) = numbers(&limits);
    down.send_replace(true);
    let received: Vec<_> = updates.collect().await;
    assert_eq!(received, [0]);
}

#[tokio::test]
async fn a_client_that_leaves_costs_nothing() {
    let (limits, _down) = limits();
    let (updates, answers) = numbers(&limits);
    drop(updates);
    assert!(answers.is_closed());
}

#[test]
fn only_news_is_sent() {
    let mut next = latest(|n: &u32| *n);
    let some = |n| Some(Arc::new(n));
    let answers = [some(1), None, some(1), some(2), some(2)];
    let sent: Vec<_> = answers.iter().filter_map(&mut next).collect();
    assert_eq!(sent, [1, 2]);
}

#[test]
fn streams_are_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    let streams = |n: u32| format!("mesh_controller_streams{{rpc=\"Destination.Get\"}} {n}\n");
    metrics::with_local_recorder(&recorder, || {
        let (limits, _down) = limits();
        let (updates, _answers) = numbers(&limits);
        assert!(shown.render().contains(&streams(1)));
        drop(updates);
        assert!(shown.render().contains(&streams(0)));
    });
}
