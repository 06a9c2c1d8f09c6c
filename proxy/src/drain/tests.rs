use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready, task};

const GRACE: Duration = Duration::from_secs(120);

#[tokio::test(start_paused = true)]
async fn drain_ends_with_the_last_watch() {
    let (signal, first) = channel();
    let second = first.clone();
    let mut drain = task::spawn(signal.drain(GRACE));
    assert_pending!(drain.poll());
    drop(first);
    assert_pending!(drain.poll());
    drop(second);
    assert_eq!(assert_ready!(drain.poll()), Drained::Complete);
}

#[tokio::test(start_paused = true)]
async fn drain_without_work_ends_at_once() {
    let (signal, watch) = channel();
    drop(watch);
    let start = Instant::now();
    assert_eq!(signal.drain(GRACE).await, Drained::Complete);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_outlives_the_grace_period_is_forced() {
    let (signal, watch) = channel();
    let mut signaled = task::spawn(watch.signaled());
    assert_pending!(signaled.poll());
    assert!(!watch.is_draining());
    let drain = tokio::spawn(signal.drain(GRACE));
    signaled.await;
    assert!(watch.is_draining());
    let mut forced = task::spawn(watch.forced());
    assert_pending!(forced.poll());
    let start = Instant::now();
    forced.await;
    assert_eq!(start.elapsed(), GRACE);
    // `watch` and the future waiting on it.
    assert!(matches!(drain.await, Ok(Drained::Forced { remaining }) if remaining >= 1));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_signal_stops_nobody() {
    let (signal, watch) = channel();
    let mut signaled = task::spawn(watch.signaled());
    drop(signal);
    assert_pending!(signaled.poll());
    let work = watch.run(async { 7 }, |_| panic!("nobody asked to stop"));
    assert_eq!(work.await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn run_asks_the_work_to_finish_once() {
    let (signal, watch) = channel();
    let asked = Arc::new(AtomicBool::new(false));
    let done = asked.clone();
    let work = tokio::spawn(watch.run(
        std::future::poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            match asked.load(Ordering::SeqCst) {
                true => std::task::Poll::Ready("finished"),
                false => std::task::Poll::Pending,
            }
        }),
        move |_| assert!(!done.swap(true, Ordering::SeqCst)),
    ));
    assert_eq!(signal.drain(GRACE).await, Drained::Complete);
    assert_eq!(work.await.unwrap(), Ok("finished"));
}

#[tokio::test(start_paused = true)]
async fn run_drops_stuck_work_when_forced() {
    let (signal, watch) = channel();
    let held = Arc::new(());
    let inside = held.clone();
    let work = tokio::spawn(watch.run(
        async move {
            pending::<()>().await;
            drop(inside);
        },
        |_| {},
    ));
    assert!(matches!(
        signal.drain(GRACE).await,
        Drained::Forced { remaining: 1.. }
    ));
    assert_eq!(work.await.unwrap(), Err(Forced));
    assert_eq!(Arc::strong_count(&held), 1);
}
