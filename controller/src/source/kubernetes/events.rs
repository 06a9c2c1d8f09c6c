//! The events of one watch, for ever.
//!
//! kube-rs lists and watches, and goes on after an error when it is asked again. Added
//! here: a pause before that, which grows from failure to failure, and a new list
//! in two cases in which kube-rs (4.2) would go on: when the very start of a watch is
//! answered 410 (it would ask for the version that is gone again and again), and
//! after an event that can't be read, which may have been any change.

use futures::{Stream, StreamExt as _};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Error, Event, watcher},
};
use mesh_identity::kubernetes::{WATCH, explain, explain_status};
use rand::Rng as _;
use serde::de::DeserializeOwned;
use std::{fmt::Debug, pin::Pin, time::Duration};
use tokio::time::Instant;

/// Between the first failure and the next attempt; doubled each time. A third of it
/// is random, so that controllers don't come back all at once.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Not more, so that an API server that is back is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What worked for so long does not go on from the last pause.
const FORGIVEN: Duration = Duration::from_secs(30);
/// Objects of one answer to a list: a Pod is 10 to 20 kB while it is read.
const PAGE: u32 = 250;

/// The events of a kind, or of some objects of it.
pub(crate) struct Events<K> {
    api: Api<K>,
    config: watcher::Config,
    resource: &'static str,
    stream: Pin<Box<dyn Stream<Item = Result<Event<K>, Error>> + Send>>,
    failures: u32,
    failed: Instant,
    /// When to try again.
    resume: Option<Instant>,
}

/// What an attempt came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Our place in the history is gone: everything is listed again. That is the
    /// API server's right, and no fault.
    Expired,
    /// What happened and what to do about it.
    Failed(String),
}

impl<K> Events<K>
where
    K: Resource + DeserializeOwned + Clone + Debug + Send + 'static,
{
    /// `fields` selects objects; `resource` is the kind's name in roles.
    pub(crate) fn new(api: Api<K>, fields: &str, resource: &'static str) -> Self {
        let mut config = watcher::Config::default().timeout(WATCH).page_size(PAGE);
        if !fields.is_empty() {
            config = config.fields(fields);
        }
        Self {
            stream: Box::pin(watcher(api.clone(), config.clone())),
            api,
            config,
            resource,
            failures: 0,
            failed: Instant::now(),
            resume: None,
        }
    }

    /// The next event; after a failure, not before a pause. Nothing is lost when the
    /// future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Event<K>, Failure> {
        if let Some(resume) = self.resume {
            tokio::time::sleep_until(resume).await;
            self.resume = None;
        }
        let next = self.stream.next().await;
        match next.unwrap_or(Err(Error::NoResourceVersion)) {
            Ok(event) => {
                // That a list starts says nothing about the API server yet.
                if !matches!(event, Event::Init) {
                    self.failures = 0;
                }
                Ok(event)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&mut self, error: &Error) -> Failure {
        let now = Instant::now();
        if now.duration_since(self.failed) > FORGIVEN + LONGEST_PAUSE {
            self.failures = 0;
        }
        self.failed = now;
        self.resume = Some(now + pause(self.failures));
        self.failures += 1;
        if loses_events(error) {
            self.stream = Box::pin(watcher(self.api.clone(), self.config.clone()));
        }
        match error {
            error if is_gone(error) => Failure::Expired,
            Error::WatchError(status) => {
                Failure::Failed(explain_status(status, "list, watch", self.resource))
            }
            Error::InitialListFailed(error)
            | Error::WatchStartFailed(error)
            | Error::WatchFailed(error) => {
                Failure::Failed(explain(error, "list, watch", self.resource))
            }
            Error::NoResourceVersion => Failure::Failed(
                "the API server sent an object without resourceVersion; is something else at its address?".to_owned(),
            ),
        }
    }
}

fn pause(failures: u32) -> Duration {
    let longest = (FIRST_PAUSE * 2_u32.saturating_pow(failures.min(10))).min(LONGEST_PAUSE);
    longest.mul_f64(rand::rng().random_range(0.67..=1.0))
}

fn loses_events(error: &Error) -> bool {
    let unreadable = matches!(error, Error::WatchFailed(kube::Error::SerdeError(_)));
    unreadable || starts_with_gone(error)
}

fn is_gone(error: &Error) -> bool {
    match error {
        Error::WatchError(status) => status.code == 410,
        Error::InitialListFailed(kube::Error::Api(status)) => status.code == 410,
        error => starts_with_gone(error),
    }
}

fn starts_with_gone(error: &Error) -> bool {
    match error {
        Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}
