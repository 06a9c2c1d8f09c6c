//! Since when has a kind had no working watch?
//!
//! kube-rs tells of a watch that fails, but not of one that works again: with no
//! change to report, a watch that stands says nothing. So the answers are looked
//! at on their way in, by a layer of the client: a watch that is answered well is
//! a watch that stands. Watches are asked for anew every minute, so that a
//! connection that died without a word shows too.
//!
//! An answer that refuses a watch becomes an error here. kube-rs (4.2) would take
//! its text for events, line by line. And one that ends at once would be asked for
//! again at once, for ever: a watch that follows another too closely is held back.

use super::kind_at;
use crate::{metrics, model::object::Kind};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Limited};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::core::Status;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use tower::{BoxError, Service};

/// Answers that refuse something are short.
const LARGEST_REFUSAL: usize = 64 * 1024;
/// Between two watches of the same objects.
const APART: Duration = Duration::from_millis(500);
/// A watch that comes back at once is not worth a line in the log.
const BRIEF: usize = 1;

/// How old the objects of each kind are. Clones share what they know.
#[derive(Clone, Debug)]
pub(crate) struct Freshness(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kinds: Mutex<BTreeMap<Kind, State>>,
    /// When the next watch of a path may begin.
    turns: Mutex<HashMap<String, Instant>>,
    /// For people; empty when all is well.
    text: watch::Sender<String>,
}

#[derive(Debug, Default)]
struct State {
    listed: bool,
    stale: Option<Stale>,
}

#[derive(Debug)]
struct Stale {
    since: Timestamp,
    failures: usize,
    why: String,
    /// The reason that the log has.
    told: Option<String>,
}

impl Default for Freshness {
    fn default() -> Self {
        Self(Arc::new(Shared {
            kinds: Mutex::default(),
            turns: Mutex::default(),
            text: watch::Sender::default(),
        }))
    }
}

impl Freshness {
    /// An attempt to list or watch failed.
    pub(crate) fn failed(&self, kind: Kind, why: String) {
        let mut kinds = self.0.kinds.lock();
        let state = kinds.entry(kind).or_default();
        let stale = state.stale.get_or_insert_with(|| Stale {
            since: Timestamp::now(),
            failures: 0,
            why: String::new(),
            told: None,
        });
        metrics::stale(kind, Some(stale.since));
        stale.failures += 1;
        stale.why = why;
        let brief = state.listed && stale.failures <= BRIEF;
        if !brief && stale.told.as_ref() != Some(&stale.why) {
            stale.told = Some(stale.why.clone());
            tracing::warn!(?kind, "Can't watch, the last state stays: {}", stale.why);
        }
        self.tell(&kinds);
    }

    /// A watch stands.
    fn watching(&self, kind: Kind) {
        let mut kinds = self.0.kinds.lock();
        let Some(stale) = kinds.entry(kind).or_default().stale.take() else {
            return;
        };
        metrics::stale(kind, None);
        if stale.told.is_some() {
            let after = Timestamp::now().duration_since(stale.since);
            tracing::info!(?kind, after = %whole_seconds(after), "Watching again");
        }
        self.tell(&kinds);
    }

    /// When a watch of this path may begin that was answered now.
    fn turn(&self, path: &str) -> Instant {
        let mut turns = self.0.turns.lock();
        let now = Instant::now();
        let turn = turns.get(path).map_or(now, |turn| now.max(*turn));
        turns.insert(path.to_owned(), turn + APART);
        turn
    }

    /// All objects of a kind are known.
    pub(crate) fn listed(&self, kind: Kind) {
        let mut kinds = self.0.kinds.lock();
        let state = kinds.entry(kind).or_default();
        state.listed = true;
        if state.stale.is_none() {
            metrics::stale(kind, None);
        }
    }

    /// What there is to say to people, now and in future; empty when all is well.
    pub(crate) fn text(&self) -> watch::Receiver<String> {
        self.0.text.subscribe()
    }

    fn tell(&self, kinds: &BTreeMap<Kind, State>) {
        let mut text = String::new();
        for (kind, state) in kinds {
            if let Some(Stale { since, why, .. }) = &state.stale {
                let what = match state.listed {
                    true => "stale",
                    false => "not read",
                };
                let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
                // Writing to a String can't fail.
                let _ = writeln!(text, "{what}: {kind:?} since {since}: {why}");
            }
        }
        self.0.text.send_if_modified(|old| {
            let changed = *old != text;
            *old = text;
            changed
        });
    }
}

fn whole_seconds(duration: SignedDuration) -> String {
    format!("{} s", duration.as_secs())
}

impl<S> tower::Layer<S> for Freshness {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed {
            inner,
            freshness: self.clone(),
        }
    }
}

/// A client whose answers are looked at.
#[derive(Debug)]
pub(crate) struct Observed<S> {
    inner: S,
    freshness: Freshness,
}

impl<S, B, R> Service<Request<B>> for Observed<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
    S::Future: Send + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let watch = is_watch(request.uri());
        let freshness = self.freshness.clone();
        let path = request.uri().path().to_owned();
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await.map_err(Into::into)?;
            if !watch {
                return Ok(response);
            }
            if !response.status().is_success() {
                return Err(refusal(response).await);
            }
            if let Some(kind) = kind_at(&path) {
                freshness.watching(kind);
            }
            tokio::time::sleep_until(freshness.turn(&path)).await;
            Ok(response)
        })
    }
}

fn is_watch(uri: &http::Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|each| each == "watch=true")
}

/// The error that an answer stands for, in the type that kube looks for.
async fn refusal<R>(response: Response<R>) -> BoxError
where
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    let code = response.status();
    let body = Limited::new(response.into_body(), LARGEST_REFUSAL);
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return error,
    };
    let status = serde_json::from_slice::<Status>(&body).unwrap_or_else(|_| {
        let reason = code.canonical_reason().unwrap_or_default();
        Status::failure("it is not the API server's own answer", reason)
    });
    kube::Error::Api(status.with_code(code.as_u16()).boxed()).into()
}
