//! How a stream begins, overflows and ends.

use super::*;
use futures::StreamExt;

fn limits(queue: usize) -> (Limits, watch::Sender<bool>) {
    let (down, shutdown) = watch::channel(false);
    (Limits { queue, shutdown }, down)
}

fn numbers(limits: &Limits) -> (Updates<u32>, watch::Sender<u32>) {
    let (answers, watch) = watch::channel(0);
    (start(Rpc::Get, limits, watch, |n| Some(*n)), answers)
}

/// Lets the stream's task do all it can.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_present_answer_comes_first() {
    let (limits, _down) = limits(4);
    let (mut updates, answers) = numbers(&limits);
    assert_eq!(updates.next().await.unwrap().unwrap(), 0);
    answers.send_replace(7);
    assert_eq!(updates.next().await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let (limits, _down) = limits(3);
    let (updates, answers) = numbers(&limits);
    for n in 1..=5 {
        answers.send_replace(n);
        settle().await;
    }
    assert!(answers.is_closed(), "nobody works for it any more");
    let received: Vec<_> = updates.collect().await;
    let codes: Vec<_> = received
        .iter()
        .map(|r| r.as_ref().map_err(Status::code))
        .collect();
    assert_eq!(
        codes,
        [Ok(&0), Ok(&1), Ok(&2), Err(tonic::Code::ResourceExhausted)]
    );
}

#[tokio::test]
async fn shutdown_ends_a_stream_well() {
    let (limits, down) = limits(3);
    let (updates, _answers) = numbers(&limits);
    down.send_replace(true);
    let received: Vec<_> = updates.collect().await;
    assert!(matches!(received[..], [Ok(0)]));
}

#[tokio::test]
async fn a_client_that_leaves_costs_nothing() {
    let (limits, _down) = limits(3);
    let (updates, answers) = numbers(&limits);
    drop(updates);
    settle().await;
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
fn streams_and_overflows_are_counted() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    let streams = |n: u32| format!("mesh_controller_streams{{rpc=\"Destination.Get\"}} {n}\n");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    metrics::with_local_recorder(&recorder, || {
        runtime.unwrap().block_on(async {
            let (limits, _down) = limits(1);
            let (_updates, answers) = numbers(&limits);
            assert!(shown.render().contains(&streams(1)));
            answers.send_replace(1);
            settle().await;
        });
    });
    let shown = shown.render();
    assert!(shown.contains(&streams(0)), "{shown}");
    let overflows = "mesh_controller_stream_overflows_total{rpc=\"Destination.Get\"} 1\n";
    assert!(shown.contains(overflows), "{shown}");
}
