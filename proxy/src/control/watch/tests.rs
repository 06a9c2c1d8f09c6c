use super::*;
use crate::control::Backoff;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};

type Item = Result<u32, Status>;
type Opened = Result<tonic::Response<BoxStream<'static, Item>>, Status>;
type Heard = Vec<(u64, String)>;

const WINDOW: Duration = Duration::from_secs(30);

fn config() -> WatchConfig {
    WatchConfig {
        retry: Backoff::new(Duration::from_millis(100), Duration::from_secs(10), 0.0).unwrap(),
        ask_again: Backoff::new(Duration::from_secs(3), Duration::from_secs(60), 0.0).unwrap(),
        ..WatchConfig::default()
    }
}

/// A stream of these items that then ends.
fn ends(items: Vec<Item>) -> Opened {
    Ok(tonic::Response::new(stream::iter(items).boxed()))
}

/// A stream of these items that then stays open.
fn stays(items: Vec<Item>) -> Opened {
    let open = stream::iter(items).chain(stream::pending());
    Ok(tonic::Response::new(open.boxed()))
}

/// Runs a watch over `script` for a while: what it heard, and when (milliseconds).
/// The message 99 is refused; past the script the server is unavailable.
async fn heard(config: WatchConfig, script: impl IntoIterator<Item = Opened>) -> (Heard, Vec<u64>) {
    let start = Instant::now();
    let now = move || u64::try_from(start.elapsed().as_millis()).unwrap();
    let mut script: VecDeque<_> = script.into_iter().collect();
    let (events, opens) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(Mutex::new(Vec::new())),
    );
    let (heard, opened) = (events.clone(), opens.clone());
    let open = move || {
        opened.lock().push(now());
        let next = script.pop_front();
        async move { next.unwrap_or_else(|| Err(Status::unavailable("away"))) }
    };
    let apply = move |event| {
        let text = match event {
            Event::First(99) | Event::Next(99) => return Err("99"),
            Event::First(n) => format!("first {n}"),
            Event::Next(n) => format!("next {n}"),
            Event::Absent(status) => format!("absent {:?}", status.code()),
        };
        heard.lock().push((now(), text));
        Ok(())
    };
    let rng = SmallRng::seed_from_u64(0);
    let watch = run("test".into(), config, rng, open, apply);
    let _ = timeout(WINDOW, watch).await;
    (events.lock().clone(), opens.lock().clone())
}

fn texts(heard: &Heard) -> Vec<&str> {
    heard.iter().map(|(_, text)| &**text).collect()
}

#[tokio::test(start_paused = true)]
async fn each_stream_starts_with_a_first_message() {
    let (events, _) = heard(
        config(),
        [ends(vec![Ok(1), Ok(2)]), stays(vec![Ok(3), Ok(4)])],
    )
    .await;
    assert_eq!(texts(&events), ["first 1", "next 2", "first 3", "next 4"]);
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_server_changes_nothing_and_is_asked_with_back_off() {
    let (events, opens) = heard(config(), [ends(vec![Ok(1)])]).await;
    assert_eq!(texts(&events), ["first 1"]);
    // After a good stream the delay starts at its minimum and doubles to 10 s.
    let expected = [0, 100, 300, 700, 1500, 3100, 6300, 12_700, 22_700];
    assert_eq!(opens, expected);
}

#[tokio::test(start_paused = true)]
async fn a_good_message_resets_the_back_off() {
    let away = || Err(Status::unavailable("away"));
    let script = [away(), away(), ends(vec![Ok(1)]), stays(vec![Ok(2)])];
    let (_, opens) = heard(config(), script).await;
    assert_eq!(opens, [0, 100, 300, 400]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_value_is_told_at_once_and_asked_again_slowly() {
    for code in [
        Code::NotFound,
        Code::InvalidArgument,
        Code::FailedPrecondition,
        Code::Unimplemented,
    ] {
        let none = || Err(Status::new(code, "none"));
        let (events, opens) = heard(config(), [none(), none(), stays(vec![Ok(1)])]).await;
        let absent = format!("absent {code:?}");
        assert_eq!(texts(&events), [&*absent, &*absent, "first 1"]);
        assert_eq!(opens, [0, 3000, 9000], "a thing created later is found");
    }
}

#[tokio::test(start_paused = true)]
async fn not_found_takes_a_known_value_back() {
    let script = [ends(vec![Ok(1), Err(Status::not_found("deleted"))])];
    let (events, _) = heard(config(), script).await;
    assert_eq!(texts(&events)[..2], ["first 1", "absent NotFound"]);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_message_is_as_if_it_had_not_come() {
    let (events, opens) = heard(config(), [stays(vec![Ok(99), Ok(1), Ok(99), Ok(2)])]).await;
    assert_eq!(texts(&events), ["first 1", "next 2"]);
    assert_eq!(opens, [0], "the stream stays open");
}

#[tokio::test(start_paused = true)]
async fn streams_are_bounded_in_time() {
    let mut config = config();
    config.limits = StreamLimits {
        initial: Duration::from_secs(2),
        idle: Duration::from_secs(5),
        lifetime: Duration::from_secs(8),
    };
    let tick = |n| async move {
        sleep(Duration::from_secs(3)).await;
        Some((Ok(n), n + 1))
    };
    let chatty = stream::unfold(1, tick).boxed();
    let script = [
        stays(vec![]),
        Ok(tonic::Response::new(chatty)),
        stays(vec![]),
    ];
    let (events, opens) = heard(config, script).await;
    // Idle for 5 s, asked again after 0.1 s; alive for 8 s; idle again, and asked
    // again after 0.2 s, as it had nothing to say.
    assert_eq!(opens[..4], [0, 5100, 13_200, 18_400]);
    assert_eq!(texts(&events), ["first 1", "next 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_not_accepted_is_given_up_in_time() {
    let opens = Arc::new(Mutex::new(0));
    let opened = opens.clone();
    let open = move || {
        *opened.lock() += 1;
        std::future::pending::<Opened>()
    };
    let apply = |_: Event<u32>| Ok::<_, &str>(());
    let rng = SmallRng::seed_from_u64(0);
    let watch = run("test".into(), config(), rng, open, apply);
    let _ = timeout(Duration::from_secs(7), watch).await;
    assert_eq!(*opens.lock(), 3, "after 0 s, 3.1 s and 6.3 s");
}

#[tokio::test(start_paused = true)]
async fn equal_values_are_published_once() {
    let (tx, mut rx) = tokio::sync::watch::channel(Answer::Waiting);
    let mut apply = publish(tx, |n: u32| if n == 99 { Err("99") } else { Ok(n) });
    apply(Event::First(1)).unwrap();
    assert_eq!(*rx.borrow_and_update(), Answer::Known(1));
    apply(Event::First(1)).unwrap();
    assert!(!rx.has_changed().unwrap());
    apply(Event::Next(99)).unwrap_err();
    assert!(!rx.has_changed().unwrap(), "the last good value stays");
    apply(Event::Absent(Status::not_found(""))).unwrap();
    assert_eq!(*rx.borrow_and_update(), Answer::Absent);
}
